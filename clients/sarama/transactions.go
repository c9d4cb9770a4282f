package main

import (
	"errors"
	"fmt"

	"github.com/IBM/sarama"
)

func transactional() (sarama.SyncProducer, error) {
	cfg := idempotent()
	cfg.Producer.Transaction.ID = topic + "-id"
	return producerWithID(cfg)
}

// Kafka's coordinator that has just started is loading, which this client waits for only since 1.42 (IBM/sarama#2701).
func producerWithID(cfg *sarama.Config) (producer sarama.SyncProducer, err error) {
	failed := until("a producer id", func() (bool, error) {
		producer, err = sarama.NewSyncProducer(brokers, cfg)
		return !errors.Is(err, sarama.ErrOffsetsLoadInProgress), nil
	})
	return producer, errors.Join(failed, err)
}

func only(topic string, offset int64) map[string][]*sarama.PartitionOffsetMetadata {
	return map[string][]*sarama.PartitionOffsetMetadata{topic: {{Partition: 0, Offset: offset}}}
}

func transactionOffsets() error {
	if err := create(1); err != nil {
		return err
	}
	producer, err := transactional()
	if err != nil {
		return err
	}
	for _, step := range []struct {
		sent, kept int64
		end        func() error
	}{{10, 10, producer.CommitTxn}, {20, 10, producer.AbortTxn}, {30, 30, producer.CommitTxn}} {
		if err := producer.BeginTxn(); err != nil {
			return err
		}
		if _, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder("moved")}); err != nil {
			return err
		}
		if err := producer.AddOffsetsToTxn(only(topic, step.sent), group); err != nil {
			return err
		}
		if err := step.end(); err != nil {
			return err
		}
		if err := withAdmin(func(admin sarama.ClusterAdmin) error {
			return until(fmt.Sprint(step.kept, " is committed"), func() (bool, error) {
				at, err := committed(admin)
				return at == step.kept, err
			})
		}); err != nil {
			return err
		}
	}
	return producer.Close()
}
