//! Copies of templates made ahead: one of each that was used lately, so that a launch only has to
//! give it a name and a password.
//!
//! A spare is a database and its role, of one name, which nobody can log in as. It is taken by
//! one statement, all or nothing; whoever finds none makes a copy as if there were no spares.

use std::collections::HashSet;

use sqlx::AssertSqlSafe;

use super::admin::Postgres;
use super::templates::OWNER;
use super::within;
use crate::databases::DatabaseError;
use crate::databases::kind::NewDatabase;

/// `pt_1_2` has the spare `ps_1_2`.
fn spare_of(template: &str) -> String {
    format!("ps{}", template.strip_prefix("pt").unwrap_or(template))
}

impl Postgres {
    /// Makes the template's spare the database that is wanted; false where there is none.
    pub(super) async fn take_spare(
        &self,
        new: NewDatabase<'_>,
        template: &str,
    ) -> Result<bool, DatabaseError> {
        let NewDatabase { name, password, .. } = new;
        let spare = spare_of(template);
        if self.is_external || !self.exists(&spare).await? {
            return Ok(false);
        }
        let limits = self.limits(name);
        let sql = format!(
            "ALTER DATABASE {spare} RENAME TO {name};
             ALTER ROLE {spare} RENAME TO {name};
             ALTER ROLE {name} LOGIN PASSWORD '{password}';
             {limits}"
        );
        let taken = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&self.pool);
        match within("taking a copy made ahead", taken).await {
            Ok(_) => Ok(true),
            // Another launch was faster.
            Err(DatabaseError::Sql { reason, .. }) => {
                tracing::debug!(reason, "no copy made ahead was to be had");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// One spare for each of so many templates, those used last, and none for any other.
    pub async fn keep_spares(&self, templates: &str, count: usize) -> Result<(), DatabaseError> {
        if self.is_external {
            return Ok(());
        }
        let mut all: Vec<_> = self.commented(templates).await?.into_iter().collect();
        // Without a comment it is not whole yet.
        all.retain(|(_, (_, used))| !used.is_empty());
        all.sort_by(|(_, (_, a)), (_, (_, b))| b.cmp(a));
        all.truncate(count);
        let wanted: HashSet<String> = all.iter().map(|(template, _)| spare_of(template)).collect();
        let there: HashSet<String> =
            self.databases(&spare_of(templates)).await?.into_iter().map(|found| found.name).collect();
        // What an interrupted try has left is among them.
        for spent in there.difference(&wanted) {
            self.drop(spent).await?;
        }
        for (template, _) in &all {
            if !there.contains(&spare_of(template)) {
                self.make_spare(template).await?;
            }
        }
        Ok(())
    }

    async fn make_spare(&self, template: &str) -> Result<(), DatabaseError> {
        const DOING: &str = "copying a template ahead";
        let spare = spare_of(template);
        let draft = format!("{spare}_draft");
        self.drop(&draft).await?;
        self.all(
            DOING,
            &[
                format!("CREATE ROLE {draft} NOLOGIN"),
                format!("CREATE DATABASE {draft} TEMPLATE {template} OWNER {draft}"),
                format!("REVOKE ALL ON DATABASE {draft} FROM PUBLIC"),
            ],
        )
        .await?;
        self.inside_do(&draft, format!("REASSIGN OWNED BY {OWNER} TO {draft}")).await?;
        let whole = format!("ALTER DATABASE {draft} RENAME TO {spare}; ALTER ROLE {draft} RENAME TO {spare}");
        self.all(DOING, &[whole]).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spare_is_named_after_its_template() {
        assert_eq!(spare_of("pt_12345678_abc"), "ps_12345678_abc");
    }
}
