//! URL mode: URLs and what is sent to them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use loadr_engine::client::session::StatusRule;
use loadr_engine::coordinator::{LoadPlan, RunPlan};
use loadr_engine::limits;
use loadr_engine::runtime::Address;
use loadr_engine::spawn::dispatch::SpawnRate;
use loadr_engine::tls::TlsConfig;
use loadr_protocols::http1::{Limits, Method, RequestBuilder, RequestTemplate};
use serde_json::{Value, json};

use super::{
    Plan, PlanError, SEED_DEFAULT, check_descriptors, no_more_than_users, notice_of_shared_cpus,
    place_shards, refuse_websocket_flags, run_plan, tls_config, websocket_exchange,
};
use crate::cli::args::LoadArgs;
use crate::cli::target_url::{TargetUrl, resolve, split_host_port};
use crate::report::units::counted;
use crate::url_mode::{HttpExchange, UrlExchange, UrlTarget, UrlWorkload};

/// Users of a run that nobody gave a number.
const USERS_DEFAULT: u64 = 64;
/// Length of a run that nobody gave a length.
const RUN_TIME_DEFAULT: Duration = Duration::from_secs(10);
/// Most bytes of a URL's pipelined requests, which each shard keeps ready.
pub(super) const PIPELINE_BYTES_MAX: u64 = 64 * 1024 * 1024;

impl Plan {
    /// `descriptors_per_user` is 2 where the process serves the target itself.
    pub(crate) fn of_urls(args: &LoadArgs, descriptors_per_user: u64) -> Result<Self, PlanError> {
        let urls = read_urls(args)?;
        let targets = Targets::prepare(args, &urls)?;
        let shards = place_shards(args, targets.local)?;
        let mut notices = Vec::new();
        let users = users(args, &mut notices);
        let shards = no_more_than_users(shards, users);
        if urls.len() as u64 > users {
            let urls = urls.len();
            notices.push(format!(
                "each user loads one URL: the first {users} of {urls} URLs are loaded"
            ));
        }
        notices.extend(notice_of_shared_cpus(&shards));
        check_descriptors(users, users.saturating_mul(descriptors_per_user), shards.len())?;
        notice_ports(users, &targets, &mut notices);
        let run_time = args.run_time.or(args.requests.is_none().then_some(RUN_TIME_DEFAULT));
        let load = LoadPlan::Users {
            users,
            spawn_rate: args.spawn_rate.map(SpawnRate::per_sec).transpose()?,
        };
        let names_max = names_max(args, &targets.list);
        let run = RunPlan { load, users_max: users, run_time, ..run_plan(args, shards, names_max) };
        let (tls, local) = (targets.tls, targets.local);
        let workload = workload(args, targets.list, tls)?;
        let document = document(args, &urls, &run);
        Ok(Self {
            notices,
            target_is_local: local,
            ..Self::new(args, run, Arc::new(workload), document)
        })
    }
}

/// The names that may be reported, beside those that nobody asked for: of each place its connections, its handshakes of
/// TLS, full and resumed, and its upgrades to WebSocket.
fn names_max(args: &LoadArgs, targets: &[UrlTarget]) -> usize {
    let mut unasked = BTreeSet::new();
    for target in targets {
        let place = &*target.authority;
        unasked.insert((place, "connections"));
        if target.server_name.is_some() {
            unasked.extend([(place, "full handshakes"), (place, "resumed handshakes")]);
        }
        if matches!(target.exchange, UrlExchange::WebSocket(_)) {
            unasked.insert((place, "upgrades"));
        }
    }
    usize::try_from(args.max_names).unwrap_or(usize::MAX).saturating_add(unasked.len())
}

/// The users asked for, but no more than there are requests to make.
fn users(args: &LoadArgs, notices: &mut Vec<String>) -> u64 {
    let wanted = args.users.unwrap_or(USERS_DEFAULT);
    match args.requests {
        Some(requests) if requests < wanted => {
            let (needed, users) = (counted(requests, "request"), counted(requests, "user"));
            notices.push(format!("{needed}: no more than {users} started"));
            requests
        }
        _ => wanted,
    }
}

fn read_urls(args: &LoadArgs) -> Result<Vec<String>, PlanError> {
    let mut urls = args.urls.clone();
    if let Some(path) = &args.urls_file {
        let text = std::fs::read_to_string(path)
            .map_err(|source| PlanError::Unreadable { path: path.clone(), source })?;
        let before = urls.len();
        let lines = text.lines().map(str::trim);
        urls.extend(
            lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned),
        );
        if urls.len() == before {
            return Err(PlanError::UrlFileEmpty(path.clone()));
        }
    }
    match &args.host {
        Some(host) if urls.is_empty() => urls.push(host.clone()),
        Some(_) if urls.iter().all(|url| !url.starts_with('/')) => {
            return Err(PlanError::HostUnused);
        }
        None if urls.is_empty() => return Err(PlanError::UrlMissing),
        _ => {}
    }
    Ok(urls)
}

/// The targets of a run.
struct Targets {
    list: Vec<UrlTarget>,
    /// All of them are on this machine.
    local: bool,
    tls: TlsConfig,
}

impl Targets {
    fn prepare(args: &LoadArgs, urls: &[String]) -> Result<Self, PlanError> {
        let parsed: Result<Vec<_>, _> =
            urls.iter().map(|url| TargetUrl::parse(url, args.host.as_deref())).collect();
        let parsed = parsed?;
        let body = read_body(args)?;
        if !parsed.iter().any(|url| url.scheme.is_websocket()) {
            refuse_websocket_flags(args)?;
        }
        let one_origin = parsed.iter().all(|url| url.origin() == parsed[0].origin());
        let tls = tls_config(&args.tls, parsed.iter().any(|url| url.scheme.is_secure()))?;
        let mut local = true;
        let list: Result<Vec<_>, PlanError> = parsed
            .iter()
            .map(|url| {
                let (authority, addresses) = destination(args, url)?;
                local &= addresses.iter().all(is_local);
                Ok(UrlTarget {
                    // As Locust's HttpUser names samples; the origin is told only where there are several.
                    name: match one_origin {
                        true => url.path_and_query.clone(),
                        false => format!("{}{}", url.origin(), url.path_and_query),
                    },
                    server_name: match url.scheme.is_secure() {
                        true => Some(tls.server_name(&url.host)?),
                        false => None,
                    },
                    authority,
                    addresses,
                    exchange: exchange(args, url, body.clone())?,
                })
            })
            .collect();
        Ok(Self { list: list?, local, tls })
    }
}

fn exchange(
    args: &LoadArgs,
    url: &TargetUrl,
    body: Option<Bytes>,
) -> Result<UrlExchange, PlanError> {
    if url.scheme.is_websocket() {
        return websocket_exchange(args, url).map(UrlExchange::WebSocket);
    }
    Ok(UrlExchange::Http(HttpExchange {
        method: args.method.clone(),
        request: request(args, url, body.clone(), args.no_keepalive)?,
        request_closing: request(args, url, body, true)?,
    }))
}

fn is_local(address: &Address) -> bool {
    match address {
        Address::Tcp(address) => address.ip().to_canonical().is_loopback(),
        Address::Unix(_) => true,
    }
}

/// Where connections for a URL go: the name shown, and the addresses.
fn destination(args: &LoadArgs, url: &TargetUrl) -> Result<(String, Vec<Address>), PlanError> {
    if let Some(path) = &args.unix_socket {
        return Ok((format!("unix:{}", path.display()), vec![Address::Unix(path.clone())]));
    }
    let (host, port, shown) = match &args.connect_to {
        Some(text) => {
            let (host, port) = split_host_port(text)?;
            (host, port, text.clone())
        }
        None => (url.host.clone(), url.port, url.host_port()),
    };
    let addresses = resolve(&host, port)?.into_iter().map(Address::Tcp).collect();
    Ok((shown, addresses))
}

fn read_body(args: &LoadArgs) -> Result<Option<Bytes>, PlanError> {
    match (&args.body, &args.body_file) {
        (Some(text), _) => Ok(Some(Bytes::from(text.clone()))),
        (None, Some(path)) => match std::fs::read(path) {
            Ok(bytes) => Ok(Some(Bytes::from(bytes))),
            Err(source) => Err(PlanError::Unreadable { path: path.clone(), source }),
        },
        (None, None) => Ok(None),
    }
}

fn request(
    args: &LoadArgs,
    url: &TargetUrl,
    body: Option<Bytes>,
    close: bool,
) -> Result<RequestTemplate, PlanError> {
    let method: Method = args.method.parse()?;
    let mut builder = RequestBuilder::new(method, &url.path_and_query).connection_close(close);
    let given = parse_headers(&args.header)?;
    let names = |wanted: &str| given.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
    if !names("host") {
        builder = builder.header("Host", &url.authority);
    }
    if !names("user-agent") {
        builder = builder.header("User-Agent", concat!("loadr-bench/", env!("CARGO_PKG_VERSION")));
    }
    if let Some(authorization) = &url.authorization
        && !names("authorization")
    {
        builder = builder.header("Authorization", authorization);
    }
    for (name, value) in given {
        builder = builder.header(name, value);
    }
    if let Some(body) = body {
        builder = builder.body(body);
    }
    Ok(builder.build()?)
}

pub(super) fn parse_headers(lines: &[String]) -> Result<Vec<(&str, &str)>, PlanError> {
    lines
        .iter()
        .map(|line| match line.split_once(':') {
            Some((name, value)) if !name.is_empty() => Ok((name, value.trim())),
            _ => Err(PlanError::Header(line.clone())),
        })
        .collect()
}

/// Says where there are fewer local ports than users.
fn notice_ports(users: u64, targets: &Targets, notices: &mut Vec<String>) {
    let addresses = targets.list.iter().flat_map(|target| &target.addresses);
    let destinations = addresses.filter(|a| matches!(a, Address::Tcp(_))).count() as u64;
    if let Some(ports) = limits::ephemeral_ports()
        && destinations > 0
        && users > ports.saturating_mul(destinations)
    {
        notices.push(format!(
            "{users} users are more than the {ports} local ports towards one address \
             (sysctl net.ipv4.ip_local_port_range): the rest cannot connect"
        ));
    }
}

fn workload(
    args: &LoadArgs,
    targets: Vec<UrlTarget>,
    tls: TlsConfig,
) -> Result<UrlWorkload, PlanError> {
    if args.no_keepalive && args.pipeline > 1 {
        return Err(PlanError::PipelineWithoutKeepAlive(args.pipeline));
    }
    for target in &targets {
        let UrlExchange::Http(http) = &target.exchange else { continue };
        let request_bytes = http.request.bytes().len();
        if args.pipeline > 1
            && args.pipeline.saturating_mul(request_bytes as u64) > PIPELINE_BYTES_MAX
        {
            return Err(PlanError::PipelineTooLarge { depth: args.pipeline, request_bytes });
        }
    }
    Ok(UrlWorkload {
        targets,
        pipeline: args.pipeline,
        requests_per_connection: if args.no_keepalive {
            Some(1)
        } else {
            args.requests_per_connection
        },
        timeout: args.timeout,
        connect_timeout: args.connect_timeout.unwrap_or(args.timeout),
        expected_status: match args.expect_status.as_slice() {
            [] => StatusRule::BelowFourHundred,
            listed => StatusRule::OneOf(listed.to_vec()),
        },
        limits: Limits::default(),
        tls,
        seed: args.seed.unwrap_or(SEED_DEFAULT),
    })
}

/// The plan for the saved report: what was asked for, with defaults filled in. Credentials stay out of it.
fn document(args: &LoadArgs, urls: &[String], run: &RunPlan) -> Value {
    json!({
        "targets": urls.iter().map(|url| without_credentials(url)).collect::<Vec<_>>(),
        "method": args.method,
        "headers": args.header.iter().map(|line| header_name(line)).collect::<Vec<_>>(),
        "users": run.load.users_max(),
        "spawn_rate_per_sec": args.spawn_rate,
        "run_time_s": run.run_time.map(|time| time.as_secs_f64()),
        "warm_up_s": run.warm_up.as_secs_f64(),
        "requests": run.requests,
        "stop_timeout_s": run.stop_timeout.as_secs_f64(),
        "pipeline": args.pipeline,
        "requests_per_connection": if args.no_keepalive { Some(1) } else { args.requests_per_connection },
        "timeout_s": args.timeout.as_secs_f64(),
        "connect_timeout_s": args.connect_timeout.unwrap_or(args.timeout).as_secs_f64(),
        "connect_to": args.connect_to,
        "unix_socket": args.unix_socket,
        "expect_status": args.expect_status,
        "shards": run.shards.len(),
        "cpus": run.shards,
        "runtime": run.runtime.as_str(),
        "max_names": args.max_names,
        "blocking_threads": args.blocking_threads,
        "seed": run.seed,
        "profile": args.output.profile,
    })
}

/// Header names alone: values carry tokens.
fn header_name(line: &str) -> &str {
    line.split_once(':').map_or(line, |(name, _)| name)
}

pub(super) fn without_credentials(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host_start = rest[..authority_end].rfind('@').map_or(0, |at| at + 1);
    match scheme {
        "" => rest[host_start..].to_owned(),
        scheme => format!("{scheme}://{}", &rest[host_start..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_stay_out_of_reports() {
        assert_eq!(without_credentials("http://u:p@h:1/a@b"), "http://h:1/a@b");
        assert_eq!(without_credentials("u:p@h/x"), "h/x");
        assert_eq!(without_credentials("http://h/x?mail=a@b"), "http://h/x?mail=a@b");
        assert_eq!(header_name("Authorization: Bearer x"), "Authorization");
    }
}
