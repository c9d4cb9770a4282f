package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/IBM/sarama"
)

// The calls that both versions have, but for those of topics(): what they change is seen through others of them.
func administration() error {
	if err := create(2); err != nil {
		return err
	}
	if err := send(config(), numbered(100, 2)); err != nil {
		return err
	}
	return withAdmin(func(admin sarama.ClusterAdmin) error {
		for _, claim := range []func(sarama.ClusterAdmin) error{cluster, settings, replicas, deletedRecords, groupAdmin} {
			if err := claim(admin); err != nil {
				return err
			}
		}
		return nil
	})
}

func cluster(admin sarama.ClusterAdmin) error {
	err := admin.CreateTopic(topic+"-not", &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, true)
	if err != nil {
		return err
	}
	listed, err := admin.ListTopics()
	if _, there := listed[topic+"-not"]; there || err != nil || listed[topic].NumPartitions != 2 {
		return fmt.Errorf("listed %v, %w", listed, err)
	}
	nodes, controller, err := admin.DescribeCluster()
	if err != nil || !slices.ContainsFunc(nodes, func(node *sarama.Broker) bool { return node.ID() == controller }) {
		return fmt.Errorf("%d nodes, controller %d, %w", len(nodes), controller, err)
	}
	return nil
}

func settings(admin sarama.ClusterAdmin) error {
	told := func(name, value string) func() (bool, error) {
		return func() (bool, error) {
			configs, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{name}})
			return err == nil && len(configs) == 1 && configs[0].Value == value, err
		}
	}
	text := func(value string) *string { return &value }
	if err := admin.AlterConfig(sarama.TopicResource, topic, map[string]*string{"max.message.bytes": text("70000")}, false); err != nil {
		return err
	}
	if err := until("one set", told("max.message.bytes", "70000")); err != nil {
		return err
	}
	err := admin.IncrementalAlterConfig(sarama.TopicResource, topic, map[string]sarama.IncrementalAlterConfigsEntry{
		"max.message.bytes": {Operation: sarama.IncrementalAlterConfigsOperationDelete},
		"retention.ms":      {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: text("86400000")},
	}, false)
	if err != nil {
		return err
	}
	if err := until("another set", told("retention.ms", "86400000")); err != nil {
		return err
	}
	return until("the first taken back", told("max.message.bytes", "1048588"))
}

func replicas(admin sarama.ClusterAdmin) error {
	told, err := admin.DescribeTopics([]string{topic})
	if err != nil {
		return err
	}
	node := told[0].Partitions[0].Leader
	if err := admin.AlterPartitionReassignments(topic, [][]int32{{node}, {node}}); err != nil {
		return err
	}
	return until("no move is left", func() (bool, error) {
		moving, err := admin.ListPartitionReassignments(topic, []int32{0, 1})
		return err == nil && len(moving[topic]) == 0, err
	})
}

func deletedRecords(admin sarama.ClusterAdmin) error {
	if err := admin.DeleteRecords(topic, map[int32]int64{0: 10, 1: 20}); err != nil {
		return err
	}
	client, err := sarama.NewClient(brokers, config())
	if err != nil {
		return err
	}
	defer client.Close()
	for partition, wanted := range map[int32]int64{0: 10, 1: 20} {
		if first, err := client.GetOffset(topic, partition, sarama.OffsetOldest); err != nil || first != wanted {
			return fmt.Errorf("partition %d begins at %d, %w", partition, first, err)
		}
	}
	return nil
}

func groupAdmin(admin sarama.ClusterAdmin) error {
	if err := commit(33); err != nil {
		return err
	}
	if at, err := committed(admin); err != nil || at != 33 {
		return fmt.Errorf("committed %d, %w", at, err)
	}
	listed, err := admin.ListConsumerGroups()
	if _, there := listed[group]; !there || err != nil {
		return fmt.Errorf("listed %v, %w", listed, err)
	}
	if err := hasState(admin, "Empty"); err != nil {
		return err
	}
	if err := admin.DeleteConsumerGroupOffset(group, topic, 0); err != nil {
		return err
	}
	if at, err := committed(admin); err != nil || at != -1 {
		return fmt.Errorf("then %d, %w", at, err)
	}
	if err := admin.DeleteConsumerGroup(group); err != nil {
		return err
	}
	return hasState(admin, "Dead")
}

// Commits an offset of partition 0 from outside of any generation.
func commit(offset int64) error {
	client, err := sarama.NewClient(brokers, config())
	if err != nil {
		return err
	}
	defer client.Close()
	manager, err := sarama.NewOffsetManagerFromClient(group, client)
	if err != nil {
		return err
	}
	partition, err := manager.ManagePartition(topic, 0)
	if err != nil {
		return err
	}
	partition.MarkOffset(offset, "moved")
	manager.Commit()
	return errors.Join(partition.Close(), manager.Close())
}

func committed(admin sarama.ClusterAdmin) (int64, error) {
	told, err := admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: {0}})
	if err != nil {
		return 0, err
	}
	block := told.GetBlock(topic, 0)
	if block == nil || block.Err != sarama.ErrNoError {
		return 0, fmt.Errorf("told %v", told)
	}
	return block.Offset, nil
}

func hasState(admin sarama.ClusterAdmin, state string) error {
	told, err := admin.DescribeConsumerGroups([]string{group})
	if err != nil || told[0].State != state {
		return fmt.Errorf("the group is %v, not %s, %w", told, state, err)
	}
	return nil
}

// A member with an instance id stays in its group when it ends, until an admin takes it out.
func staticMember() error {
	if err := create(1); err != nil {
		return err
	}
	cfg := config()
	cfg.Consumer.Group.InstanceId = "one"
	cfg.Consumer.Group.Session.Timeout = patience / 2
	one, err := join(cfg)
	if err != nil {
		return err
	}
	if err := until("it owns the topic", func() (bool, error) {
		owned, _ := one.state()
		return owned == 1, nil
	}); err != nil {
		return err
	}
	if err := one.leave(); err != nil {
		return err
	}
	return withAdmin(func(admin sarama.ClusterAdmin) error {
		if err := hasState(admin, "Stable"); err != nil {
			return err
		}
		removed, err := admin.RemoveMemberFromConsumerGroup(group, []string{"one"})
		if err != nil || removed.Err != sarama.ErrNoError || removed.Members[0].Err != sarama.ErrNoError {
			return fmt.Errorf("removed %v, %w", removed, err)
		}
		return hasState(admin, "Empty")
	})
}
