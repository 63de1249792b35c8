//! Stories of keys, links, kept answers, the audit trail, and of what is encrypted.

use std::collections::BTreeSet;
use std::time::Duration;

use previewd::domain::{ApiKey, AuditEntry, Scope, Share, UserTier};
use previewd::seal::Seal;
use previewd::store::{AnswerClaim, AnswerKey, AuditFilter, Insert, KeptAnswer, Page, Store, StoreError};

use crate::{Setting, generation, now, preview, user};

fn answer_key(name: &str) -> AnswerKey {
    AnswerKey { caller: "ann ann".to_owned(), key: name.to_owned() }
}

async fn claim(store: &Store, key: &AnswerKey, fingerprint: &str) -> AnswerClaim {
    let day = Duration::from_secs(24 * 3600);
    store.claim_answer(key, fingerprint, now(), now() - day).await.expect("claims")
}

pub async fn of_claims_at_once_one_is_first_and_the_rest_get_its_answer(setting: Setting) {
    let (store, key) = (setting.store.clone(), answer_key("k"));
    let claims = futures_util::future::join_all((0..16).map(|_| claim(&store, &key, "f"))).await;
    assert_eq!(claims.iter().filter(|claim| **claim == AnswerClaim::First).count(), 1, "{claims:?}");
    assert_eq!(claim(&store, &key, "other").await, AnswerClaim::Other);
    let answer = KeptAnswer {
        status: 201,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        sealed_body: "v1.x".to_owned(),
    };
    store.keep_answer(&key, &answer).await.expect("keeps");
    assert_eq!(claim(&store, &key, "f").await, AnswerClaim::Kept(answer));
    store.forget_answer(&key).await.expect("forgets");
    assert!(matches!(claim(&store, &key, "f").await, AnswerClaim::Kept(_)), "what was answered stays");
    // One that came to nothing is free again; one of long ago counts no more.
    let other = answer_key("other");
    assert_eq!(claim(&store, &other, "f").await, AnswerClaim::First);
    store.forget_answer(&other).await.expect("forgets");
    assert_eq!(claim(&store, &other, "g").await, AnswerClaim::First);
    let later = now() + Duration::from_secs(1);
    assert_eq!(store.claim_answer(&key, "h", later, later).await.expect("claims"), AnswerClaim::First);
    assert_eq!(store.forget_unfinished_answers().await.expect("forgets"), 2);
    assert_eq!(claim(&store, &key, "f").await, AnswerClaim::First);
    assert_eq!(store.sweep_answers(later + Duration::from_secs(60)).await.expect("sweeps"), 1);
}

fn api_key(id: &str, owner: &str) -> ApiKey {
    ApiKey {
        id: id.to_owned(),
        name: "ci".to_owned(),
        owner: user(owner),
        tier: UserTier::Pro,
        scopes: BTreeSet::from([Scope::Read, Scope::Act]),
        created_by: user("root"),
        created_at: now(),
        expires_at: Some(now() + Duration::from_secs(60)),
        revoked_at: None,
        last_used_at: None,
    }
}

pub async fn keys_come_back_as_they_were_and_have_a_number(setting: Setting) {
    let store = setting.store;
    let (one, two, bens) = (api_key("a1", "ann"), api_key("a2", "ann"), api_key("b1", "ben"));
    assert!(store.insert_api_key(&one, "hash", 2).await.expect("inserts"));
    assert!(store.insert_api_key(&two, "hash2", 2).await.expect("inserts"));
    assert!(!store.insert_api_key(&api_key("a3", "ann"), "hash3", 2).await.expect("inserts"), "she has two");
    assert!(store.insert_api_key(&bens, "hash4", 2).await.expect("inserts"));
    let found = store.api_key("a1").await.expect("reads").expect("is there");
    assert_eq!((found.key, found.hash.as_str()), (one.clone(), "hash"));
    assert!(store.api_key("a3").await.expect("reads").is_none());
    let ann = user("ann");
    let page = store.api_keys(Some(&ann), Page::first(1)).await.expect("lists");
    let rest = Page { cursor: page.next.clone(), limit: 10 };
    let rest = store.api_keys(Some(&ann), rest).await.expect("lists");
    let ids: BTreeSet<String> = page.items.into_iter().chain(rest.items).map(|key| key.id).collect();
    assert_eq!(ids, BTreeSet::from(["a1".to_owned(), "a2".to_owned()]));
    assert_eq!(store.api_keys(None, Page::first(10)).await.expect("lists").items.len(), 3);
    assert!(store.revoke_api_key("a1", now()).await.expect("revokes"));
    assert!(!store.revoke_api_key("a1", now()).await.expect("revokes"));
    assert!(store.insert_api_key(&api_key("a3", "ann"), "hash3", 2).await.expect("inserts"), "there is room");
    let used = now();
    store.touch_api_key("a2", used).await.expect("touches");
    store.touch_api_key("a2", used + Duration::from_secs(5)).await.expect("touches");
    let touched = store.api_key("a2").await.expect("reads").expect("is there").key;
    assert_eq!(touched.last_used_at, Some(used), "to the minute");
}

pub async fn links_open_live_previews_until_they_end(setting: Setting) {
    let store = setting.store;
    let (closed, open) = (preview("g", "ann"), preview("h", "ann"));
    for one in [&closed, &open] {
        assert_eq!(store.insert_preview(one, None, None).await.expect("inserts"), Insert::Inserted);
    }
    store.make_private(closed.id).await.expect("made");
    store.make_private(closed.id).await.expect("made");
    assert_eq!(store.private_previews().await.expect("lists"), [closed.id]);
    let share = |id: &str, seconds| Share {
        id: id.to_owned(),
        preview: closed.id,
        created_by: user("ann"),
        created_at: now(),
        expires_at: now() + Duration::from_secs(seconds),
        revoked_at: None,
    };
    let (long, short) = (share("long", 600), share("short", 1));
    assert!(store.insert_share(&long, 2).await.expect("inserts"));
    assert!(store.insert_share(&short, 2).await.expect("inserts"));
    assert!(!store.insert_share(&share("third", 600), 2).await.expect("inserts"));
    assert_eq!(store.shares(closed.id).await.expect("lists").len(), 2);
    let later = now() + Duration::from_secs(60);
    assert_eq!(store.shares_in_force(later).await.expect("lists"), std::slice::from_ref(&long));
    assert!(!store.revoke_share(open.id, "long", now()).await.expect("revokes"), "it is of another");
    assert!(store.revoke_share(closed.id, "long", now()).await.expect("revokes"));
    assert!(store.shares_in_force(later).await.expect("lists").is_empty());
}

pub async fn no_more_links_than_a_preview_may_have_however_many_are_made_at_once(setting: Setting) {
    let one = preview("g", "ann");
    assert_eq!(setting.store.insert_preview(&one, None, None).await.expect("inserts"), Insert::Inserted);
    let inserts = (0..50).map(|n| {
        let store = setting.store.clone();
        let share = Share {
            id: format!("s{n}"),
            preview: one.id,
            created_by: user("ann"),
            created_at: now(),
            expires_at: now() + Duration::from_secs(600),
            revoked_at: None,
        };
        tokio::spawn(async move { store.insert_share(&share, 3).await.expect("decides") })
    });
    let done = futures_util::future::join_all(inserts).await;
    assert_eq!(done.into_iter().filter(|one| *one.as_ref().expect("ends")).count(), 3);
    assert_eq!(setting.store.shares(one.id).await.expect("lists").len(), 3);
}

pub async fn the_trail_is_read_newest_first_and_by_what_is_asked(setting: Setting) {
    let store = setting.store;
    let entry = |actor: &str, action: &str, target: &str| AuditEntry {
        timestamp: now(),
        actor: Some(actor.to_owned()),
        on_behalf: (actor == "shop").then(|| "ann".to_owned()),
        via: "token".to_owned(),
        action: action.to_owned(),
        target: Some(target.to_owned()),
        address: Some("::1".to_owned()),
        status: 201,
        trace_id: None,
        times: 7,
    };
    let all = [entry("ann", "put", "g"), entry("shop", "put", "h"), entry("ben", "stop", "g")];
    store.append_audit(&all).await.expect("appends");
    let find = async |filter: AuditFilter| store.audit(&filter, Page::first(10)).await.expect("reads").items;
    assert_eq!(find(AuditFilter::default()).await, [all[2].clone(), all[1].clone(), all[0].clone()]);
    let of = |user: &str| AuditFilter { user: Some(user.to_owned()), ..AuditFilter::default() };
    assert_eq!(find(of("ann")).await, [all[1].clone(), all[0].clone()], "by her and for her");
    let both = AuditFilter {
        target: Some("g".to_owned()),
        action: Some("stop".to_owned()),
        ..AuditFilter::default()
    };
    assert_eq!(find(both).await, [all[2].clone()]);
    let until = AuditFilter { until: Some(now() - Duration::from_secs(60)), ..AuditFilter::default() };
    assert!(find(until).await.is_empty());
    assert_eq!(store.sweep_audit(now() + Duration::from_secs(60)).await.expect("sweeps"), 3);
}

pub async fn environments_are_encrypted_and_encrypted_again(setting: Setting) {
    let plain = setting.store.clone();
    let mut code = generation("g", "ann", "x");
    code.metadata.environment.insert("KEY".into(), "hunter2".into());
    let mut runs = preview("g", "ann");
    runs.environment.insert("KEY".into(), "hunter2".into());
    plain.put_generation(&code).await.expect("stores");
    plain.insert_preview(&runs, None, None).await.expect("inserts");
    let secrets = "SELECT (SELECT count(*) FROM generations WHERE metadata LIKE '%hunter2%')
        + (SELECT count(*) FROM preview_instances WHERE environment_vars LIKE '%hunter2%')";
    assert_eq!(setting.number(secrets).await, 2, "as rows of before are");
    let store = plain.clone().sealed_by(Seal::new([1; 32], &[]));
    let read = async |store: &Store| {
        let metadata = store.generation_head(&code.id).await.map(|head| head.expect("is there").metadata);
        let environment = store.preview(runs.id).await.map(|found| found.expect("is there").environment);
        (metadata.map(|metadata| metadata.environment), environment)
    };
    type Values = Result<std::collections::BTreeMap<String, String>, StoreError>;
    let is_whole = |(metadata, environment): (Values, Values)| {
        metadata.is_ok_and(|found| found == code.metadata.environment)
            && environment.is_ok_and(|found| found == runs.environment)
    };
    assert!(is_whole(read(&store).await));
    assert_eq!(store.reseal().await.expect("seals"), 2);
    assert_eq!(setting.number(secrets).await, 0);
    assert!(is_whole(read(&store).await));
    let rotated = plain.clone().sealed_by(Seal::new([2; 32], &[[1; 32]]));
    assert!(is_whole(read(&rotated).await));
    rotated.reseal().await.expect("seals");
    assert!(is_whole(read(&plain.clone().sealed_by(Seal::new([2; 32], &[]))).await));
    let (metadata, environment) = read(&store).await;
    let refused = environment.expect_err("has another key").to_string();
    assert!(metadata.is_err() && refused.contains("KEY") && !refused.contains("hunter2"), "{refused}");
    rotated.update_preview(&runs).await.expect("updates");
    assert_eq!(setting.number(secrets).await, 0);
}
