//! Networks: subnets of our choice, nothing shared, nothing left.

use previewd::engine::{EngineError, Kind};

use crate::scene::scene;

/// Nothing else in these tests takes addresses here.
fn subnet(of: &crate::scene::Scene, at: u8) -> String {
    let byte =
        of.engine.instance().as_str().bytes().fold(7_u8, |sum, b| sum.wrapping_mul(31).wrapping_add(b));
    format!("10.214.{byte}.{}/29", at * 8)
}

#[tokio::test]
async fn a_taken_subnet_is_told_apart_from_other_failures() {
    scene(async |scene| {
        let engine = &scene.engine;
        let first = scene.network_spec("one", &subnet(&scene, 0));
        let id = engine.create_network(&first).await.expect("created");
        assert_eq!(engine.create_network(&first).await.as_ref(), Ok(&id), "adopted");
        assert!(engine.all_subnets().await.expect("a list").contains(&first.subnet));

        let second = scene.network_spec("two", &first.subnet);
        let refused = engine.create_network(&second).await;
        assert!(matches!(refused, Err(EngineError::SubnetTaken { .. })), "{refused:?}");
        let broken = scene.network_spec("two", "10.214.0.0/99");
        let refused = engine.create_network(&broken).await;
        assert!(matches!(refused, Err(EngineError::Refused { .. })), "{refused:?}");

        let mut foreign = first.clone();
        foreign.ownership.kind = Kind::Base;
        let refused = engine.create_network(&foreign).await;
        assert!(matches!(refused, Err(EngineError::Conflict { .. })), "{refused:?}");

        // The answer was lost, and the caller has gone on to another subnet.
        let moved = scene.network_spec("one", &subnet(&scene, 1));
        let other = engine.create_network(&moved).await.expect("replaced");
        assert_ne!(other, id);
        let owned = engine.owned_networks().await.expect("a list");
        assert_eq!(owned.len(), 1);
        assert_eq!((owned[0].subnet.as_ref(), &owned[0].ownership), (Some(&moved.subnet), &moved.ownership));
    })
    .await;
}

#[tokio::test]
async fn a_network_goes_even_with_a_container_in_it() {
    scene(async |scene| {
        let network = scene.network().await;
        let id = scene.run(&scene.spec("a", &network, &["sleep", "600"])).await;
        let owned = scene.engine.owned_networks().await.expect("a list");
        assert_eq!(owned[0].containers, [id.as_str()]);
        for _ in 0..2 {
            scene.engine.remove_network(&network).await.expect("removed");
        }
        assert_eq!(scene.engine.owned_networks().await, Ok(vec![]));
        let state = scene.state(&id).await;
        assert_eq!((state.running, state.address_in(&network)), (true, None));
    })
    .await;
}

#[tokio::test]
async fn a_container_whose_network_is_gone_cannot_start() {
    scene(async |scene| {
        let network = scene.network().await;
        let spec = scene.spec("a", &network, &["sleep", "600"]);
        let id = scene.engine.create_container(&spec).await.expect("created");
        scene.engine.remove_network(&network).await.expect("removed");
        let error = scene.engine.start(&id).await.expect_err("its network is gone");
        assert!(error.is_missing(), "{error}");
    })
    .await;
}
