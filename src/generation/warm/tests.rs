use super::*;

#[test]
fn an_order_is_read_back_by_counting() {
    let arguments = ["uvicorn".to_owned(), "main:app".to_owned()];
    let variables = BTreeMap::from([("A".to_owned(), "1=2".to_owned())]);
    let bytes = order("/app", &arguments, &variables).expect("an order");
    assert_eq!(bytes, b"/app\x002\x00uvicorn\x00main:app\x00A=1=2\x00");
    assert_eq!(order("/app", &["a\0b".to_owned()], &variables), None);
}

#[test]
fn the_program_has_our_words() {
    assert!(PYTHON.contains(&format!("called(\"{WAITING}\")")));
    assert!(PYTHON.contains(&format!("AGAIN = {AGAIN}\n")));
    assert!(NODE.contains(&format!("called(\"{WAITING}\")")));
}
