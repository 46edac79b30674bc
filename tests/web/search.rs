//! The search: every place, a part at a time.

use sancho::store::{Effect, TimedSet, keys};
use sancho_tests::Kind;

use crate::browser::{Answer, Site, encode, failed, on_every_store};
use crate::hostile::{EVIL, assert_clean};

const JID: &str = "d3ab86bad86a8fc45845636e";

async fn jobs_are_found_wherever_they_are(site: Site) {
    site.put(TimedSet::Retry, 60, failed("r1", "ChargeCard", "timed out"))
        .await;
    site.put(TimedSet::Dead, 60, failed("d1", "ChargeCard", "declined"))
        .await;
    let job =
        |jid: &str| format!(r#"{{"class":"ChargeCard","args":[7],"jid":"{jid}","tags":["vip"]}}"#);
    site.put(TimedSet::Schedule, 60, job("s1")).await;
    site.push("low", job("q1")).await;
    site.push("low", r#"{"class":"SyncStock","args":[],"jid":"q2"}"#)
        .await;
    site.process("vm:7:abc", "\"low\"", false, Some(&job("b1")))
        .await;
    let page = site.get("/search?q=class:charge").await;
    page.shows("<strong>5 jobs</strong> found. Looked at all 6.");
    for badge in [
        ">running</span> 1 job",
        ">retry</span> 1 job",
        ">dead</span> 1 job",
        ">scheduled</span> 1 job",
        ">waiting</span> 1 job",
    ] {
        page.shows(badge);
    }
    page.hides("SyncStock</a>");
    for jid in ["r1", "d1", "s1", "q1", "b1"] {
        let link = page.link(jid);
        site.get(&format!("/{link}")).await.shows("ChargeCard");
    }
    for (text, n, of) in [
        ("state:retry", 1, 1),
        ("error:declined", 1, 6),
        ("-tag:vip class:charge", 2, 6),
        ("queue:low state:queued", 2, 2),
        ("nowhere", 0, 6),
    ] {
        let page = site.get(&format!("/search?q={}", encode(text))).await;
        let jobs = if n == 1 { "job" } else { "jobs" };
        page.shows(&format!(
            "<strong>{n} {jobs}</strong> found. Looked at all {of}."
        ));
        // What was asked for can be asked again.
        page.shows(&format!("value=\"{text}\""));
    }
    site.get("/search?q=nowhere").await.shows("Nothing found");
    let found = site.get("/api/search?q=class:charge").await.json();
    let states = found["jobs"].as_array().unwrap().iter();
    let states: Vec<_> = states.map(|job| job["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["running", "retry", "dead", "scheduled", "queued"]);
    assert_eq!(found["looked_at"], 6);
    assert!(found["next"].is_null());
    assert_eq!(found["jobs"][1]["in"], "retry");
    assert_eq!(found["jobs"][4]["position"], 0);
}

async fn an_id_is_found_at_once(site: Site) {
    site.put(TimedSet::Dead, 60, failed(JID, "ChargeCard", "x"))
        .await;
    let answer = site.get(&format!("/search?q=%20{JID}%20")).await;
    answer.is(303);
    let to = answer.headers["location"].to_str().unwrap().to_owned();
    let answer = site.get(&format!("/{to}")).await;
    answer.is(303);
    let to = answer.headers["location"].to_str().unwrap();
    site.get(&format!("/{to}")).await.shows("ChargeCard");
    site.get(&format!("/search?q=jid:{JID}"))
        .await
        .shows("1 job</strong> found");
}

async fn a_search_goes_on_where_it_ended(site: Site) {
    for n in 0..40 {
        site.put(
            TimedSet::Retry,
            n,
            failed(&format!("r{n:02}"), "ChargeCard", "x"),
        )
        .await;
    }
    for n in 0..40 {
        site.push(
            "low",
            format!(r#"{{"class":"ChargeCard","args":[],"jid":"q{n:02}"}}"#),
        )
        .await;
    }
    let mut page = site.get("/search?q=class:charge&rows=25").await;
    page.shows("25 jobs</strong> found. Looked at 25 of about 80.");
    let mut found = jids(&page);
    while page.text.contains(">Go on<") {
        let link = page.link("seen=");
        assert!(link.contains("rows=25"), "{link}");
        page = site.get(&format!("/{link}")).await;
        found.extend(jids(&page));
    }
    page.shows("Looked at all 80.");
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 80, "{found:?}");
    // A job deep in its queue is led to.
    let link = page.link("q39");
    assert!(link.contains("at=39"), "{link}");
    site.get(&format!("/{link}")).await.shows("place 40");
    let mut next = String::new();
    let mut n = 0;
    loop {
        let path = format!("/api/search?q=class:charge&rows=50&from={}", encode(&next));
        let part = site.get(&path).await.json();
        n += part["jobs"].as_array().unwrap().len();
        match part["next"].as_str() {
            Some(more) => more.clone_into(&mut next),
            None => break,
        }
    }
    assert_eq!(n, 80);
}

/// The ids of the jobs that a page leads to.
fn jids(page: &Answer) -> Vec<String> {
    let links = page.text.split("href=\"job?").skip(1);
    let links = links.map(|rest| rest.split('"').next().unwrap().to_owned());
    links
        .map(|link| {
            let after = |name: &str| link.split(name).nth(1);
            let jid = after("jid=").or_else(|| after("%7C")).unwrap();
            jid.chars().take(3).collect()
        })
        .collect()
}

async fn what_is_found_is_acted_on(site: Site) {
    for n in 0..3 {
        site.put(
            TimedSet::Retry,
            n,
            failed(&format!("r{n}"), "ChargeCard", "x"),
        )
        .await;
    }
    let ids = site.get("/search?q=class:charge").await.values("id");
    assert_eq!(ids.len(), 3);
    let form = |what: &'static str| {
        [
            ("back", "search"),
            ("q", "class:charge"),
            ("id", &*ids[0]),
            ("id", &*ids[1]),
            ("do", what),
        ]
        .map(|(name, value)| (name, value.to_owned()))
    };
    let delete = form("delete");
    let delete: Vec<_> = delete
        .iter()
        .map(|(name, value)| (*name, &**value))
        .collect();
    site.post("/retries", &delete)
        .await
        .shows("Delete: 2 jobs of Retries?")
        .shows("name=\"back\" value=\"search\"");
    let page = site.post_surely("/retries", &delete).await;
    page.shows("2 jobs deleted")
        .shows("1 job</strong> found")
        .shows("value=\"class:charge\"");
    assert_eq!(site.api().retries().size().await.unwrap(), 1);
}

async fn what_is_no_query_is_told_and_nothing_is_looked_for(site: Site) {
    site.push("low", r#"{"class":"A","args":[],"jid":"q1"}"#)
        .await;
    let long = "x".repeat(1_001);
    let many = "a ".repeat(33);
    for (text, why) in [
        ("klass:A", "`klass:` is no qualifier"),
        ("state:asleep", "is no state"),
        ("since:yesterday", "is no time"),
        ("class:", "has nothing to look for"),
        ("\"open", "a quote is not closed"),
        (EVIL, "a quote is not closed"),
        (&long, "1000 characters and 32 words"),
        (&many, "1000 characters and 32 words"),
    ] {
        let page = site.get(&format!("/search?q={}", encode(text))).await;
        page.is(400).hides("found.");
        assert!(page.text.contains(why), "{text}: {}", page.text);
        assert_clean(text, &page.text);
        let answer = site.get(&format!("/api/search?q={}", encode(text))).await;
        answer.is(400);
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(why), "{detail}");
    }
    for from in ["x", "retry", "retry:-1", "retry:1:low", "asleep:1"] {
        site.get(&format!("/search?q=a&from={from}"))
            .await
            .is(400)
            .hides("found.");
    }
    // Beyond the end there is nothing, and that is no error.
    for from in ["retry:18446744073709551615", "queued:99:nowhere", "dead:9"] {
        site.get(&format!("/search?q=zz&from={from}&seen=-1&rows=x"))
            .await
            .shows("Nothing found");
    }
}

async fn what_others_wrote_is_escaped(site: Site) {
    let job = serde_json::json!({ "class": EVIL, "args": [EVIL], "jid": EVIL, "tags": [EVIL], "error_class": EVIL, "error_message": EVIL });
    let job = job.to_string();
    for set in TimedSet::ALL {
        site.put(set, 60, job.clone()).await;
    }
    site.push(EVIL, job.clone()).await;
    site.process("vm:7:abc", "\"low\"", false, Some(&job)).await;
    site.until_shows("/search", "queue:&quot;&lt;script&gt;")
        .await;
    let page = site.get("/search?q=onerror").await;
    page.shows("5 jobs</strong> found");
    assert_clean("search", &page.text);
    // The queue is offered as it can be asked for.
    let terms = page.text.split("<option value=\"").skip(1);
    let terms = terms.map(|rest| rest.split('"').next().unwrap());
    let term = terms
        .map(|term| {
            term.replace("&quot;", "\"")
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&amp;", "&")
        })
        .find(|term| term.starts_with("queue:\""))
        .unwrap();
    site.get(&format!("/search?q={}", encode(&term)))
        .await
        .shows("found. Looked at all");
}

on_every_store! {
    jobs_are_found_wherever_they_are
    an_id_is_found_at_once
    a_search_goes_on_where_it_ended
    what_is_found_is_acted_on
    what_is_no_query_is_told_and_nothing_is_looked_for
    what_others_wrote_is_escaped
}

#[tokio::test]
async fn a_search_is_completed_with_what_there_is() {
    let site = Site::on(Kind::Memory).await;
    site.push("mailers", r#"{"class":"A","args":[],"jid":"a1"}"#)
        .await;
    let minute: chrono::DateTime<chrono::Utc> = site.now().into();
    site.fixture
        .apply(vec![Effect::AddFields {
            key: keys::minute(minute),
            fields: vec![("WelcomeEmail|p".into(), 9)],
            ttl: std::time::Duration::from_secs(3_600),
        }])
        .await;
    let page = site.get("/search").await;
    for term in [
        "class:",
        "since:",
        "state:retry",
        "queue:mailers",
        "class:WelcomeEmail",
    ] {
        page.shows(&format!("<option value=\"{term}\">"));
    }
    // Every page has the box.
    site.get("/busy")
        .await
        .shows("action=\"search\"")
        .shows("<option value=\"queue:mailers\">");
}
