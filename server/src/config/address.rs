//! `Listener` and `Advertised`: Kafka's `listeners` and `advertised.listeners`, several addresses, IPv4, IPv6 or names.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use super::ConfigError;

/// `NAME://host:port`; the host without brackets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// Listener name, `PLAINTEXT` when none was written.
    pub name: String,
    /// Name or address.
    pub host: String,
    /// Port; 0 asks the system for one (listeners only).
    pub port: u16,
}

impl Endpoint {
    /// Reads `[NAME://]host:port`, an IPv6 address in brackets, an empty host as all addresses.
    pub fn parse(text: &str) -> Result<Endpoint, ConfigError> {
        let refuse = |reason: &str| ConfigError::Address { address: text.to_owned(), reason: reason.to_owned() };
        let text = text.trim();
        let (name, rest) = text.split_once("://").unwrap_or(("PLAINTEXT", text));
        let name = name.to_ascii_uppercase();
        if name.is_empty() {
            return Err(refuse("the listener name is empty"));
        }
        if name.contains("SSL") || name.contains("SASL") {
            return Err(refuse("only plain text listeners exist yet"));
        }
        let (host, port) = rest.rsplit_once(':').ok_or_else(|| refuse("expected HOST:PORT"))?;
        let port = port.parse().map_err(|_| refuse("the port is not a number from 0 to 65535"))?;
        let host = match host.strip_prefix('[') {
            Some(bracketed) => {
                let address = bracketed.strip_suffix(']').ok_or_else(|| refuse("the bracket is not closed"))?;
                // A zone may follow: fe80::1%eth0.
                let (plain, _) = address.split_once('%').unwrap_or((address, ""));
                plain.parse::<Ipv6Addr>().map_err(|_| refuse("only an IPv6 address goes in brackets"))?;
                address
            }
            None if host.contains(':') => return Err(refuse("an IPv6 address goes in brackets: [::1]:9092")),
            None if host.is_empty() => "0.0.0.0",
            None => host,
        };
        Ok(Endpoint { name, host: host.to_owned(), port })
    }

    /// Reads a list with commas between.
    pub fn parse_list(text: &str) -> Result<Vec<Endpoint>, ConfigError> {
        text.split(',').filter(|part| !part.trim().is_empty()).map(Endpoint::parse).collect()
    }

    /// Whether it stands for all addresses of the host, so that no client could connect to it as it is written.
    pub fn is_wildcard(&self) -> bool {
        matches!(self.host.as_str(), "0.0.0.0" | "::" | "*")
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.name, HostPort(&self.host, self.port))
    }
}

/// Numbers by address, as in `max.connections.per.ip.overrides`.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct AddressLimits(pub Vec<(IpAddr, usize)>);

impl AddressLimits {
    /// Reads `address:number` with commas between; an IPv6 address may stand in brackets. Names are refused: they change what they mean.
    pub fn parse(text: &str) -> Option<AddressLimits> {
        let one = |part: &str| {
            let (address, number) = part.trim().rsplit_once(':')?;
            let address = address.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(address);
            Some((address.parse().ok()?, number.parse().ok()?))
        };
        text.split(',').filter(|part| !part.trim().is_empty()).map(one).collect::<Option<_>>().map(AddressLimits)
    }
}

impl fmt::Display for AddressLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (address, number)) in self.0.iter().enumerate() {
            write!(f, "{}{address}:{number}", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// `host:port`, an IPv6 address in brackets.
pub struct HostPort<'a>(pub &'a str, pub u16);

impl fmt::Display for HostPort<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains(':') { write!(f, "[{}]:{}", self.0, self.1) } else { write!(f, "{}:{}", self.0, self.1) }
    }
}

/// Checks that advertised addresses can be reached and belong to listeners.
pub fn check_advertised(listeners: &[Endpoint], advertised: &[Endpoint]) -> Result<(), ConfigError> {
    for endpoint in advertised {
        let refuse =
            |reason: &str| Err(ConfigError::Address { address: endpoint.to_string(), reason: reason.to_owned() });
        if endpoint.is_wildcard() {
            return refuse("a client cannot connect to a wildcard address; advertise a name or an address");
        }
        if !listeners.iter().any(|listener| listener.name == endpoint.name) {
            return refuse("no listener has this name");
        }
        if advertised.iter().filter(|other| other.name == endpoint.name).count() > 1 {
            return refuse("a listener name is advertised once");
        }
    }
    Ok(())
}

/// Checks that no listener is mapped (`NAME:PROTOCOL` with commas between) to what this broker does not speak: its clients would be served in the
/// clear.
pub fn check_protocols(listeners: &[Endpoint], map: Option<&String>) -> Result<(), ConfigError> {
    let pairs = map.map_or("", String::as_str).split(',').filter_map(|pair| pair.trim().split_once(':'));
    for (name, protocol) in pairs {
        if let Some(listener) = listeners.iter().find(|listener| listener.name == name && protocol != "PLAINTEXT") {
            let reason = format!("it is mapped to {protocol}, and only PLAINTEXT exists yet");
            return Err(ConfigError::Address { address: listener.to_string(), reason });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_all_their_forms() {
        let plain = |host: &str, port| Endpoint { name: "PLAINTEXT".into(), host: host.into(), port };
        assert_eq!(Endpoint::parse("127.0.0.1:9092").unwrap(), plain("127.0.0.1", 9092));
        assert_eq!(Endpoint::parse("PLAINTEXT://[::1]:0").unwrap(), plain("::1", 0));
        assert_eq!(Endpoint::parse(":9092").unwrap(), plain("0.0.0.0", 9092));
        assert_eq!(Endpoint::parse("EXTERNAL://broker.example:19092").unwrap().name, "EXTERNAL");
        assert_eq!(Endpoint::parse_list("a:1, b:2").unwrap().len(), 2);
        assert_eq!(Endpoint::parse("[::1]:9092").unwrap().to_string(), "PLAINTEXT://[::1]:9092");
        for wrong in [
            "localhost",
            "host:port",
            "::1:9092",
            "[::1:9092",
            "SSL://host:9093",
            "host:70000",
            "[]:1",
            "[host]:1",
            "[::1]9092",
        ] {
            assert!(Endpoint::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn advertised_addresses_must_be_reachable_and_have_a_listener() {
        let list = |text| Endpoint::parse_list(text).unwrap();
        let listeners = list("IN://0.0.0.0:1,OUT://0.0.0.0:2");
        assert!(check_advertised(&listeners, &list("IN://a:1,OUT://b:2")).is_ok());
        assert!(check_advertised(&listeners, &list("IN://0.0.0.0:1")).is_err());
        assert!(check_advertised(&listeners, &list("OTHER://a:1")).is_err());
        assert!(check_advertised(&listeners, &list("IN://a:1,IN://b:2")).is_err());
    }
}
