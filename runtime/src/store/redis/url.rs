//! What the URL of a Redis says, and how it is shown.
//!
//! A password may hold any byte, and one that was not escaped ends up anywhere in what is read here. So what could be a part of one
//! is not repeated in a message.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use fred::types::config::{ClusterDiscoveryPolicy, Config, Server, ServerConfig, TlsHostMapping};

use super::tls;
use crate::job::nearest;

#[cfg(test)]
mod tests;

/// How long is waited for a connection, and for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patience {
    pub(super) connection: Duration,
    /// Longer than any script of ours, and less than the patience of a push. fred does not send what has waited this long for a
    /// connection, but does send what its caller has dropped.
    pub(super) command: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connection: Duration::from_secs(3),
            command: Duration::from_millis(2_500),
        }
    }
}

/// What may be waited, in milliseconds. Longer than that, and a lease runs out meanwhile.
const WAITS: std::ops::RangeInclusive<u64> = 100..=10_000;

/// The same in words.
const WAIT: &str = "a time from 100ms to 10s";

/// The parameters that are such waits.
const WAITED_FOR: [&str; 2] = ["timeout", "connect_timeout"];

/// The forms of a Redis that there are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Single,
    Sentinel,
    Cluster,
    Socket,
}

/// A scheme, its form, and whether it is encrypted.
const SCHEMES: [(&str, Form, bool); 15] = [
    ("redis", Form::Single, false),
    ("rediss", Form::Single, true),
    ("redis-sentinel", Form::Sentinel, false),
    ("rediss-sentinel", Form::Sentinel, true),
    ("redis-cluster", Form::Cluster, false),
    ("rediss-cluster", Form::Cluster, true),
    ("redis+unix", Form::Socket, false),
    ("unix", Form::Socket, false),
    ("valkey", Form::Single, false),
    ("valkeys", Form::Single, true),
    ("valkey-sentinel", Form::Sentinel, false),
    ("valkeys-sentinel", Form::Sentinel, true),
    ("valkey-cluster", Form::Cluster, false),
    ("valkeys-cluster", Form::Cluster, true),
    ("valkey+unix", Form::Socket, false),
];

/// The parameters, and what they are for.
const PARAMETERS: [(&str, For); 12] = [
    ("prefix", For::All),
    ("timeout", For::All),
    ("connect_timeout", For::All),
    ("db", For::Socket),
    ("ca", For::Encrypted),
    ("cert", For::Encrypted),
    ("key", For::Encrypted),
    ("node", For::Several),
    ("sentinelServiceName", For::Sentinel),
    ("sentinelUsername", For::Sentinel),
    ("sentinelPassword", For::Sentinel),
    // Named here so that who writes it is told.
    ("pool", For::Nothing),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    All,
    Socket,
    Encrypted,
    /// Sentinel and Cluster.
    Several,
    Sentinel,
    Nothing,
}

/// What a URL says. Has no `Debug`: there are passwords in it.
pub(super) struct Target {
    /// The configuration of fred, without TLS.
    pub(super) config: Config,
    /// The files of TLS, and for which names in a Cluster, where it is encrypted.
    pub(super) tls: Option<(tls::Files, TlsHostMapping)>,
    pub(super) prefix: String,
    pub(super) patience: Patience,
}

/// Whether this is the scheme of a Redis.
pub(super) fn is_scheme(scheme: &str) -> bool {
    SCHEMES.iter().any(|(name, ..)| *name == scheme)
}

/// Reads a URL; what is wrong is answered with what is allowed.
pub(super) fn parse(url: &str) -> Result<Target, String> {
    let (scheme, rest) = url
        .split_once("://")
        .ok_or("it is no URL: use redis://host:6379/0")?;
    let &(_, form, encrypted) = SCHEMES
        .iter()
        .find(|(name, ..)| *name == scheme)
        .ok_or("it has no scheme of a Redis: use redis, rediss, redis-sentinel, redis-cluster or redis+unix")?;
    let (front, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = match (front.find('/'), form) {
        // What stands before a path with `@` are user and password.
        (_, Form::Socket) => match front.rsplit_once('@') {
            Some((login, path)) => (&front[..=login.len()], path),
            None => ("", front),
        },
        (Some(slash), _) => front.split_at(slash),
        (None, _) => (front, ""),
    };
    let is_misread = rest.contains('#')
        || path.contains('@')
        || (query.contains('@') && !authority.contains('@'));
    if is_misread {
        return Err(ESCAPES.into());
    }
    let parameters = Parameters::parse(query, form, encrypted)?;
    let (login, hosts) = match authority.rsplit_once('@') {
        Some((login, hosts)) => (Some(login), hosts),
        None => (None, authority),
    };
    let (username, password) = login.map_or(Ok((None, None)), credentials)?;
    if username.is_some() && password.is_none() {
        return Err(
            "it names a user without a password: use user:password@host, or :password@host".into(),
        );
    }
    let (server, database) = match form {
        Form::Socket => (
            socket(path)?,
            parameters.one("db").map(database).transpose()?,
        ),
        _ => {
            let nodes = nodes(hosts, form, &parameters)?;
            let database = match path.strip_prefix('/').unwrap_or(path) {
                "" => None,
                text => Some(database(text)?),
            };
            (servers(nodes, form, &parameters)?, database)
        }
    };
    let prefix = parameters.one("prefix").unwrap_or_default().to_owned();
    if form == Form::Cluster && database.is_some_and(|number| number > 0) {
        return Err("a Cluster has only database 0: leave the number out".into());
    }
    let mut patience = Patience::default();
    for (name, wait) in [
        ("timeout", &mut patience.command),
        ("connect_timeout", &mut patience.connection),
    ] {
        if let Some(text) = parameters.one(name) {
            *wait = duration(text).ok_or_else(|| format!("{name} is {text:?}: use {WAIT}"))?;
        }
    }
    let tls = encrypted
        .then(|| Ok::<_, String>((parameters.files()?, names_of_nodes(&server))))
        .transpose()?;
    Ok(Target {
        config: Config {
            server,
            username,
            password,
            database,
            ..Config::default()
        },
        tls,
        prefix,
        patience,
    })
}

/// The names of the parameters that a URL may have.
#[cfg(test)]
pub(super) fn parameters() -> impl Iterator<Item = &'static str> {
    let there = |(_, what): &&(&str, For)| *what != For::Nothing;
    PARAMETERS.iter().filter(there).map(|(name, _)| *name)
}

/// A URL with a parameter that stands elsewhere. Where the URL says it itself, that counts; one that cannot be read is left as it is.
///
/// # Errors
/// A parameter that is for other URLs, or a value that it cannot have: in words that follow its name.
pub(super) fn with(url: &str, name: &str, values: &[String]) -> Result<String, String> {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    let known = SCHEMES.iter().find(|(known, ..)| Some(*known) == scheme);
    let parameter = PARAMETERS.iter().find(|(known, _)| *known == name);
    let (Some(&(_, form, encrypted)), Some(&(_, what))) = (known, parameter) else {
        return Ok(url.to_owned());
    };
    let query = url.split_once('?').map(|(_, query)| query);
    let said = |pair: &str| pair.split_once('=').map_or(pair, |(name, _)| name) == name;
    if query.is_some_and(|query| query.split('&').any(said)) {
        return Ok(url.to_owned());
    }
    if !fits(what, form, encrypted) {
        return Err(format!("is only for {}", whom(what)));
    }
    let mut whole = url.to_owned();
    let mut mark = if query.is_some() { '&' } else { '?' };
    for value in values {
        if WAITED_FOR.contains(&name) && duration(value).is_none() {
            return Err(format!("is {value:?}: give {WAIT}"));
        }
        whole.push(mark);
        whole.push_str(name);
        whole.push('=');
        escape(value, &mut whole);
        mark = '&';
    }
    Ok(whole)
}

/// Whether keys can stand in a Cluster: all of them must be of one slot, since a script works on many.
pub(super) fn check_prefix(server: &ServerConfig, prefix: &str) -> Result<(), String> {
    let tag = prefix
        .split_once('{')
        .and_then(|(_, it)| it.split_once('}'));
    if matches!(server, ServerConfig::Clustered { .. }) && tag.is_none_or(|(tag, _)| tag.is_empty())
    {
        return Err(format!(
            "its prefix is {prefix:?}, and in a Cluster it must have a hash tag, which keeps all keys on one node: add prefix={{sancho}}:"
        ));
    }
    Ok(())
}

/// The URL as it may be shown: without user and password, and without the values of parameters that may be secret.
pub(super) fn shown(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('@') => (format!("{scheme}://"), rest),
        _ => (String::new(), url),
    };
    let (front, query) = match rest.split_once('?') {
        // A password with `?` in it may begin anywhere.
        Some((_, query)) if query.contains('@') => return format!("{scheme}***"),
        Some((front, query)) => (front, Some(query)),
        None => (rest, None),
    };
    let front = match front.rsplit_once('@') {
        Some((_, host)) => format!("***@{host}"),
        None => front.to_owned(),
    };
    let query = query.map(|query| {
        let pairs = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, _)) if !is_parameter(name) || name == "sentinelPassword" => {
                "***".to_owned()
            }
            None if !is_parameter(pair) => "***".to_owned(),
            _ => pair.to_owned(),
        });
        format!("?{}", pairs.collect::<Vec<_>>().join("&"))
    });
    format!("{scheme}{front}{}", query.unwrap_or_default())
}

const ESCAPES: &str = "its user, its password or a parameter has a character that must be escaped: write @ as %40, / as %2F, ? as %3F, # as %23 and : as %3A";

fn is_parameter(name: &str) -> bool {
    PARAMETERS.iter().any(|(known, _)| *known == name)
}

/// The parameters of a URL, unescaped.
struct Parameters(Vec<(&'static str, String)>);

impl Parameters {
    fn parse(query: &str, form: Form, encrypted: bool) -> Result<Self, String> {
        let mut read: Vec<(&'static str, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (written, value) = pair.split_once('=').unwrap_or((pair, ""));
            let Some(&(name, what)) = PARAMETERS.iter().find(|(name, _)| *name == written) else {
                return Err(unknown(written, pair, form, encrypted));
            };
            match what {
                For::Nothing => {
                    return Err(format!(
                        "{name} is no parameter: all calls share one connection, which is never waited for, so leave it out"
                    ));
                }
                _ if !fits(what, form, encrypted) => {
                    return Err(format!("{name} is only for {}", whom(what)));
                }
                _ if value.is_empty() => {
                    return Err(format!("{name} has no value: use {name}=..."));
                }
                _ if name != "node" && read.iter().any(|(other, _)| *other == name) => {
                    return Err(format!("{name} is said twice: say it once"));
                }
                _ => read.push((name, unescaped(value)?)),
            }
        }
        Ok(Self(read))
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = move |(known, _): &&(&str, String)| *known == name;
        self.0.iter().filter(named).map(|(_, value)| value.as_str())
    }

    fn one(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    }

    fn files(&self) -> Result<tls::Files, String> {
        let file = |name| self.one(name).map(PathBuf::from);
        let client = match (file("cert"), file("key")) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some((cert, key)),
            _ => return Err("cert and key go together: name both files, or neither".into()),
        };
        Ok(tls::Files {
            ca: file("ca"),
            client,
        })
    }
}

fn unknown(name: &str, pair: &str, form: Form, encrypted: bool) -> String {
    if pair.contains('@') || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return ESCAPES.into();
    }
    let names = || {
        let fitting = PARAMETERS
            .iter()
            .filter(|(_, what)| fits(*what, form, encrypted));
        fitting.map(|(name, _)| *name)
    };
    match nearest(name, names()) {
        Some(near) => format!("{name} is no parameter of it: did you mean {near}?"),
        None => format!(
            "{name} is no parameter of it: there are {}",
            names().collect::<Vec<_>>().join(", ")
        ),
    }
}

fn fits(what: For, form: Form, encrypted: bool) -> bool {
    match what {
        For::All => true,
        For::Socket => form == Form::Socket,
        For::Encrypted => encrypted,
        For::Several => matches!(form, Form::Sentinel | Form::Cluster),
        For::Sentinel => form == Form::Sentinel,
        For::Nothing => false,
    }
}

fn whom(what: For) -> &'static str {
    match what {
        For::Socket => {
            "unix sockets: elsewhere the database stands in the path, as in redis://host:6379/2"
        }
        For::Encrypted => "encrypted connections: use rediss:// for redis://",
        For::Several => "redis-sentinel:// and redis-cluster://",
        For::Sentinel => "redis-sentinel://",
        For::All | For::Nothing => "nothing",
    }
}

fn credentials(login: &str) -> Result<(Option<String>, Option<String>), String> {
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let some = |text: &str| Ok::<_, String>(Some(unescaped(text)?).filter(|it| !it.is_empty()));
    Ok((some(user)?, some(password)?))
}

/// All the servers that are named.
fn nodes(hosts: &str, form: Form, parameters: &Parameters) -> Result<Vec<Server>, String> {
    let port = if form == Form::Sentinel {
        26_379
    } else {
        6_379
    };
    std::iter::once(hosts)
        .chain(parameters.all("node"))
        .map(|host| server(host, port))
        .collect()
}

fn servers(
    hosts: Vec<Server>,
    form: Form,
    parameters: &Parameters,
) -> Result<ServerConfig, String> {
    Ok(match form {
        Form::Sentinel => ServerConfig::Sentinel {
            hosts,
            service_name: parameters
                .one("sentinelServiceName")
                .ok_or("it does not say which master to ask for: add sentinelServiceName=mymaster")?
                .to_owned(),
            username: parameters.one("sentinelUsername").map(str::to_owned),
            password: parameters.one("sentinelPassword").map(str::to_owned),
        },
        Form::Cluster => ServerConfig::Clustered {
            hosts,
            // A node that the URL names may be gone for good while the others serve.
            policy: ClusterDiscoveryPolicy::UseCache,
        },
        Form::Single | Form::Socket => ServerConfig::Centralized {
            server: hosts.into_iter().next().ok_or("it names no host")?,
        },
    })
}

fn server(text: &str, default_port: u16) -> Result<Server, String> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest
                .split_once(']')
                .ok_or("its host begins with [ and has no ]")?;
            match port.strip_prefix(':') {
                None if !port.is_empty() => {
                    return Err("a host in [ ] is followed by something else than :port".into());
                }
                port => (host, port),
            }
        }
        None => text
            .split_once(':')
            .map_or((text, None), |(host, port)| (host, Some(port))),
    };
    if host.is_empty() {
        return Err("it names no host: use redis://host:6379/0".into());
    }
    let port = match port {
        None => default_port,
        Some(port) => number::<u16>(port)
            .filter(|port| *port > 0)
            .ok_or_else(|| format!("its port is {port:?}: use a number from 1 to 65535"))?,
    };
    Ok(Server::new(host, port))
}

fn socket(path: &str) -> Result<ServerConfig, String> {
    if !path.starts_with('/') {
        return Err("it names no socket: use redis+unix:///path/to/redis.sock".into());
    }
    Ok(ServerConfig::Unix {
        path: unescaped(path)?.into(),
    })
}

fn database(text: &str) -> Result<u8, String> {
    number(text).ok_or_else(|| format!("its database is {text:?}: use a number from 0 to 255"))
}

/// A number without a sign.
fn number<T: FromStr>(text: &str) -> Option<T> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

fn duration(text: &str) -> Option<Duration> {
    let millis = match text.strip_suffix("ms") {
        Some(millis) => number::<u64>(millis)?,
        None => number::<u64>(text.strip_suffix('s')?)?.checked_mul(1_000)?,
    };
    WAITS
        .contains(&millis)
        .then(|| Duration::from_millis(millis))
}

/// A Cluster may name its nodes by addresses, and have certificates for names.
fn names_of_nodes(server: &ServerConfig) -> TlsHostMapping {
    let by_name = |server: &Server| server.host.parse::<std::net::IpAddr>().is_err();
    match server {
        ServerConfig::Clustered { hosts, .. } if hosts.iter().all(by_name) => {
            TlsHostMapping::DefaultHost
        }
        _ => TlsHostMapping::None,
    }
}

/// Writes a value so that nothing in it has a meaning in a URL.
fn escape(value: &str, out: &mut String) {
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b':' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
}

fn unescaped(text: &str) -> Result<String, String> {
    let wrong = || "a % in it is not followed by two hexadecimal digits: write % as %25".to_owned();
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = rest
            .get(..2)
            .filter(|it| it.iter().all(u8::is_ascii_hexdigit));
        let digits = digits
            .and_then(|it| std::str::from_utf8(it).ok())
            .ok_or_else(wrong)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| "what it escapes is no text in UTF-8".into())
}
