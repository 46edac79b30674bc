use std::fs;
use std::process::Command;

use sancho_tests::RedisServer;
use tempfile::TempDir;

use crate::site::{Site, refusal};

/// Authorities and what they signed.
struct Papers(TempDir);

impl Papers {
    /// An authority, a certificate for `localhost`, one for a client, and an authority that has signed nothing.
    fn made() -> Self {
        let papers = Self(TempDir::new().unwrap());
        for authority in ["ca", "other"] {
            papers.openssl(&format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={authority} -keyout {authority}.key -out {authority}.pem"
            ));
        }
        fs::write(papers.path("server.ext"), "subjectAltName=DNS:localhost").unwrap();
        fs::write(papers.path("client.ext"), "extendedKeyUsage=clientAuth").unwrap();
        for name in ["server", "client"] {
            papers.openssl(&format!(
                "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"
            ));
            papers.openssl(&format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile {name}.ext -out {name}.pem"
            ));
        }
        papers
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(&self.0)
            .output()
            .expect("openssl is installed (Debian: apt-get install openssl)");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// A server that shows its certificate, and asks for that of a client or does not.
    fn server(&self, asks: &str) -> RedisServer {
        let file = |name| self.path(name);
        RedisServer::start_with(|port, dir| {
            let all = [
                ("--port", "0"),
                ("--tls-port", &port.to_string()),
                ("--bind", "127.0.0.1"),
                ("--tls-cert-file", &file("server.pem")),
                ("--tls-key-file", &file("server.key")),
                ("--tls-ca-cert-file", &file("ca.pem")),
                ("--tls-auth-clients", asks),
                ("--dir", dir.to_str().unwrap()),
            ];
            all.into_iter()
                .flat_map(|(name, value)| [name.to_owned(), value.to_owned()])
                .collect()
        })
    }
}

#[tokio::test]
async fn a_client_trusts_its_own_authority_and_shows_its_certificate() {
    let papers = Papers::made();
    let server = papers.server("yes");
    let (ca, cert, key) = (
        papers.path("ca.pem"),
        papers.path("client.pem"),
        papers.path("client.key"),
    );
    let base = format!("rediss://localhost:{}", server.port());
    let mut site = Site::at(&format!("{base}?ca={ca}&cert={cert}&key={key}")).await;
    site.works().await;
    site.stop().await;

    let text = refusal(&format!("{base}?ca={ca}")).await;
    assert!(
        text.contains("show a certificate that it accepts with cert=FILE&key=FILE"),
        "{text}"
    );
}

#[tokio::test]
async fn who_cannot_be_trusted_is_refused_with_what_to_do() {
    let papers = Papers::made();
    let server = papers.server("no");
    let (ca, other) = (papers.path("ca.pem"), papers.path("other.pem"));
    let at = |host: &str, file: &str| format!("rediss://{host}:{}?ca={file}", server.port());
    let mut site = Site::at(&at("localhost", &ca)).await;
    site.works().await;
    site.stop().await;
    for (url, told) in [
        (
            at("localhost", &other),
            "name the authority that signed its certificate with ca=FILE",
        ),
        (format!("rediss://localhost:{}", server.port()), "ca=FILE"),
        (at("127.0.0.1", &ca), "its certificate is for another host"),
    ] {
        let text = refusal(&url).await;
        assert!(text.contains(told), "{url}: {text}");
    }
    let plain = RedisServer::start(&[]);
    let text = refusal(&format!("rediss://localhost:{}?ca={ca}", plain.port())).await;
    assert!(text.contains("use redis://"), "{text}");
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_named_before_anything_is_connected() {
    let papers = Papers::made();
    let at = |parameters: &str| format!("rediss://nowhere.invalid?{parameters}");
    let (ca, cert, key) = (
        papers.path("ca.pem"),
        papers.path("client.pem"),
        papers.path("ca.key"),
    );
    for (parameters, told) in [
        ("ca=/nonexistent.pem".to_owned(), "ca=/nonexistent.pem"),
        (
            format!("ca={}", papers.path("ca.key")),
            "has no certificate in it",
        ),
        (
            format!("ca={ca}&cert={cert}&key={cert}"),
            "no private key can be read from key=",
        ),
        (
            format!("ca={ca}&cert={cert}&key={key}"),
            "do not belong together",
        ),
    ] {
        let text = refusal(&at(&parameters)).await;
        assert!(text.contains(told), "{parameters}: {text}");
    }
}
