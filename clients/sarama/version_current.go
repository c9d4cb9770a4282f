//go:build !sarama_old

package main

import (
	"errors"
	"fmt"

	"github.com/IBM/sarama"
)

var claimsOfVersion = map[string]func() error{"newer_admin_calls_are_answered": newerAdministration}

// What the admin client has learnt since 1.38.
func newerAdministration() error {
	if err := create(1); err != nil {
		return err
	}
	if err := send(config(), numbered(100, 1)); err != nil {
		return err
	}
	return withAdmin(func(admin sarama.ClusterAdmin) error {
		elected, err := admin.ElectLeaders(sarama.PreferredElection, map[string][]int32{topic: {0}})
		if err != nil {
			return err
		}
		if result := elected[topic][0]; result != nil && result.ErrorCode != sarama.ErrNoError && result.ErrorCode != sarama.ErrElectionNotNeeded {
			return fmt.Errorf("elected %v", result)
		}
		resources := []*sarama.ConfigResource{{Type: sarama.TopicResource, Name: topic}, {Type: sarama.TopicResource, Name: topic + "-not"}}
		configs, err := admin.DescribeConfigs(resources, sarama.DescribeConfigsOptions{IncludeSynonyms: true, IncludeDocumentation: true})
		if err != nil || len(configs) != 2 || len(configs[0].Configs) < 20 || configs[1].ErrorCode != sarama.ErrUnknownTopicOrPartition {
			return fmt.Errorf("described %v, %w", configs, err)
		}
		return errors.Join(listedOffsets(admin), movedOffsets(admin), logSizes(admin))
	})
}

// 1.38 asks for it in version 0, which Kafka 4 no longer knows.
func logSizes(admin sarama.ClusterAdmin) error {
	told, err := admin.DescribeTopics([]string{topic})
	if err != nil {
		return err
	}
	leader := told[0].Partitions[0].Leader
	logs, err := admin.DescribeLogDirs([]int32{leader})
	if err != nil {
		return err
	}
	for _, directory := range logs[leader] {
		for _, one := range directory.Topics {
			if one.Topic == topic && one.Partitions[0].Size > 0 {
				return nil
			}
		}
	}
	return fmt.Errorf("no size in %v", logs)
}

func listedOffsets(admin sarama.ClusterAdmin) error {
	for asked, wanted := range map[int64]int64{sarama.OffsetOldest: 0, sarama.OffsetNewest: 100} {
		listed, err := admin.ListOffsets(map[string]map[int32]int64{topic: {0: asked}}, &sarama.ListOffsetsOptions{IsolationLevel: sarama.ReadCommitted})
		if err != nil {
			return err
		}
		if found := listed[topic][0]; found.Err != nil && found.Err != sarama.ErrNoError || found.Offset != wanted {
			return fmt.Errorf("at %d: %v", asked, found)
		}
	}
	return nil
}

func movedOffsets(admin sarama.ClusterAdmin) error {
	wanted := map[string]map[int32]sarama.OffsetAndMetadata{topic: {0: {Offset: 50, LeaderEpoch: -1}}}
	answer, err := admin.AlterConsumerGroupOffsets(group, wanted, nil)
	if err != nil || answer.Errors[topic][0] != sarama.ErrNoError {
		return fmt.Errorf("moved %v, %w", answer, err)
	}
	asked := map[string]map[string][]int32{group: {topic: {0}}, group + "-not": {topic: {0}}}
	told, err := admin.ListConsumerGroupOffsetsBatch(asked)
	if err != nil {
		return err
	}
	if ours, none := told[group].Blocks[topic][0], told[group+"-not"].Blocks[topic][0]; ours.Offset != 50 || none.Offset != -1 {
		return fmt.Errorf("told %v and %v", ours, none)
	}
	return nil
}
