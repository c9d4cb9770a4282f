//! What no single key can check: settings that contradict each other.

use super::{ConfigError, Settings, check_advertised, check_protocols};

impl Settings {
    /// Checks what no single key can: called once, when all keys are in.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.listeners.is_empty() {
            return Err(ConfigError::Contradiction(
                "no address to listen on: give --listen HOST:PORT or listeners in the file",
            ));
        }
        if self.group_min_session_timeout_ms > self.group_max_session_timeout_ms {
            return Err(ConfigError::Contradiction(
                "group.min.session.timeout.ms is above group.max.session.timeout.ms",
            ));
        }
        self.check_consumer_groups()?;
        check_protocols(&self.listeners, self.given.get("listener.security.protocol.map"))?;
        check_advertised(&self.listeners, &self.advertised_listeners)
    }

    fn check_consumer_groups(&self) -> Result<(), ConfigError> {
        let within = |least: i64, value: i64, most: i64, why: &'static str| {
            if (least..=most).contains(&value) { Ok(()) } else { Err(ConfigError::Contradiction(why)) }
        };
        let (session_ms, interval_ms) =
            (self.group_consumer_session_timeout_ms, self.group_consumer_heartbeat_interval_ms);
        within(
            self.group_consumer_min_session_timeout_ms,
            session_ms,
            self.group_consumer_max_session_timeout_ms,
            "group.consumer.session.timeout.ms is not between group.consumer.min.session.timeout.ms and group.consumer.max.session.timeout.ms",
        )?;
        within(
            self.group_consumer_min_heartbeat_interval_ms,
            interval_ms,
            self.group_consumer_max_heartbeat_interval_ms,
            "group.consumer.heartbeat.interval.ms is not between group.consumer.min.heartbeat.interval.ms and \
             group.consumer.max.heartbeat.interval.ms",
        )?;
        if interval_ms >= session_ms {
            return Err(ConfigError::Contradiction(
                "group.consumer.heartbeat.interval.ms is not below group.consumer.session.timeout.ms",
            ));
        }
        Ok(())
    }
}
