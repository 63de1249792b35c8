//! Sources that are broken, huge or made to hurt: no panic, and an end.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::domain::{FilePath, FileSet, SourceFile};
use crate::generation::models::{Model, models};
use crate::generation::testing::mutated;

/// Far more than any of these take, also unoptimised and on a machine with other work.
const LONG: Duration = Duration::from_secs(20);

const PYTHON: &str = r#"
from pydantic import BaseModel, Field
from sqlalchemy import Column, Integer, Table
users = Table("é", m, Column("id", Integer, primary_key=True))
class A(BaseModel, metaclass=M):
    """Doc é"""
    a: dict[str, list["B"]] = Field(..., ge=1)  # ()
    b = Column('b', Integer, nullable=False)
@dataclass(frozen=True)
class B(A, models.Model):
    c: Mapped[int | None] = mapped_column(default="x")
    d = models.ForeignKey("A", null=True)
"#;

const NODE: &str = r#"
/** Doc é */
export interface A<T> extends B { 'é'?: string | null; c: { d: number }[] }
type C = A & { e: 'x' };
@Entity() export class D extends PartialType(A) { @Column({ nullable: true }) f?: string = 'x'; #g = 1; }
const s = new Schema({ h: [{ type: String, ref: 'A' }], i: { j: Number } });
export default model('S', s);
export const z1 = z.object({ k: z.array(z.string().optional()).default([]) }).extend({ l: z1 });
const t = pgTable('t', { m: text('m').notNull() });
"#;

const GO: &str = "package a\n// é\ntype (\n\tA struct {\n\t\tgorm.Model\n\t\tB *string `json:\"b,omitempty\" db:\"é\"`\n\t\tC struct {\n\t\t\tD int\n\t\t} `json:\"c\"`\n\t}\n)\n";

const PRISMA: &str = "model A {\n  id Int @id\n  b String?\n}\n/// é\ntype B {\n c A[]\n}\n";

fn read(files: &[(&str, &[u8])]) -> Vec<Model> {
    let file = |(path, content): &(&str, &[u8])| {
        let content = content.to_vec().into();
        (FilePath::parse(path).expect("a path"), SourceFile { content, executable: false })
    };
    let files = FileSet::new(files.iter().map(file), u64::MAX).expect("files");
    let start = Instant::now();
    let found = models(&files);
    assert!(start.elapsed() < LONG, "took {:?}", start.elapsed());
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_sources(python in mutated(PYTHON), node in mutated(NODE), typed in mutated(NODE), prisma in mutated(PRISMA), go in mutated(GO)) {
        let files: [(&str, &[u8]); 5] =
            [("a.py", &python), ("a.js", &node), ("a.ts", &typed), ("a.prisma", &prisma), ("a.go", &go)];
        let found = read(&files);
        prop_assert!(found.iter().all(|model| !model.name.is_empty() && model.line > 0));
        prop_assert!(found.is_sorted_by_key(|model| (&model.name, &model.file, model.line)));
        prop_assert_eq!(found, read(&files), "the same files, the same answer");
    }

    #[test]
    fn truncated_sources(python in 0..PYTHON.len(), node in 0..NODE.len()) {
        read(&[("a.py", &PYTHON.as_bytes()[..python]), ("a.tsx", &NODE.as_bytes()[..node])]);
    }
}

#[test]
fn the_unchanged_sources_are_read() {
    assert_eq!(read(&[("a.py", PYTHON.as_bytes())]).len(), 3);
    assert_eq!(read(&[("a.ts", NODE.as_bytes())]).len(), 6);
    assert_eq!(read(&[("a.prisma", PRISMA.as_bytes())]).len(), 2);
    assert_eq!(read(&[("a.go", GO.as_bytes())]).len(), 1);
}

#[test]
fn nesting_and_lists_without_end() {
    for open in ["(", "[", "{", "class A(", "\"\"\"", "x: int = ("] {
        let python =
            format!("from pydantic import BaseModel\nclass A(BaseModel):\n  x: {}", open.repeat(20_000));
        read(&[("a.py", python.as_bytes())]);
    }
    for open in
        ["{a:", "z.object({a:", "z.array(", "[", "interface A {", "class A { @Column() b: ", "new Schema({a:"]
    {
        let node = format!("const x = z.object({{a: {}", open.repeat(10_000));
        read(&[("a.js", node.as_bytes()), ("a.ts", node.as_bytes())]);
    }
    for before in ["new Schema(", "pgTable('t', ", "z.object("] {
        let wrapped = format!("const x = {before}{}", "(".repeat(50_000));
        read(&[
            ("a.js", wrapped.as_bytes()),
            ("a.ts", format!("{wrapped}{{}}{}", ")".repeat(50_001)).as_bytes()),
        ]);
    }
    let chain = format!("const x = z.object({{ a: z.string(){} }})", ".optional()".repeat(5_000));
    read(&[("a.ts", chain.as_bytes())]);
    let bases: String = (0..400).map(|at| format!("class C{at}(C{}):\n  x: int\n", at + 1)).collect();
    let bases = format!("{bases}class C400(C0, BaseModel):\n  x: int\n");
    read(&[("a.py", bases.as_bytes())]);
    let fields: String = (0..5_000).map(|at| format!("  f{at}: int\n")).collect();
    let many = read(&[("a.py", format!("class A(BaseModel):\n{fields}").as_bytes())]);
    assert_eq!(many[0].fields.len(), 300);
}
