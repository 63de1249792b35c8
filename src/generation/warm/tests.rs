use super::*;

#[test]
fn an_order_is_read_back_by_counting() {
    let arguments = ["uvicorn".to_owned(), "main:app".to_owned()];
    let variables = BTreeMap::from([("A".to_owned(), "1=2".to_owned())]);
    let gone = BTreeSet::from(["OLD".to_owned()]);
    let bytes = order("/app", &arguments, &variables, &gone).expect("an order");
    assert_eq!(bytes, b"/app\x002\x00uvicorn\x00main:app\x001\x00OLD\x00A=1=2\x00");
    assert_eq!(order("/app", &["a\0b".to_owned()], &variables, &gone), None);
}
