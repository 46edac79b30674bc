use sancho_tests::RedisCluster;

use crate::site::{Site, ask, refusal};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_works_on_whichever_node_the_prefix_belongs_to() {
    let cluster = RedisCluster::start();
    let mut served = 0;
    for prefix in ["{sancho}:", "{a}:", "{b}:", "{c}:", "{d}:"] {
        let mut site = Site::at(&format!("{}?prefix={prefix}", cluster.url())).await;
        site.works().await;
        site.stop().await;
        let key = format!("{prefix}queues");
        let has = |node| ask(node, &["EXISTS", &key]) == "1\n";
        let owners: Vec<bool> = cluster.nodes().iter().map(has).collect();
        assert_eq!(
            owners.iter().filter(|has| **has).count(),
            1,
            "{prefix}: {owners:?}"
        );
        served |= owners
            .iter()
            .enumerate()
            .map(|(i, has)| usize::from(*has) << i)
            .sum::<usize>();
    }
    assert_eq!(served, 0b111, "each node has had its turn");
    for (prefix, allowed) in [
        ("", "add prefix={sancho}:"),
        ("?prefix=sancho", "add prefix={sancho}:"),
    ] {
        let text = refusal(&format!("{}{prefix}", cluster.url())).await;
        assert!(text.contains(allowed), "{text}");
    }
}
