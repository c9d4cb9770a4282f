//go:build sarama_old

package main

import "github.com/IBM/sarama"

var claimsOfVersion = map[string]func() error{"a_group_commits_with_version_1": oldestCommits}

// The settings of a service that sets none: without a retention this version takes OffsetCommit 1, whatever Kafka it is told to speak to.
func oldestCommits() error {
	cfg := config()
	cfg.Version = sarama.DefaultVersion
	cfg.Consumer.Offsets.Retention = 0
	return shares(cfg)
}
