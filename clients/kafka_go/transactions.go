package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
)

// The client ends a transaction that holds offsets; it writes no records in one (scenarios.py).
func transactionOffsets(ctx context.Context) error {
	if err := create(ctx, 1); err != nil {
		return err
	}
	id := topic + "-id"
	begun, err := client.InitProducerID(ctx, &kafka.InitProducerIDRequest{TransactionalID: id, TransactionTimeoutMs: 60_000, ProducerID: -1, ProducerEpoch: -1})
	if err != nil || begun.Error != nil {
		return fmt.Errorf("begun %v, %w", begun, err)
	}
	producer := begun.Producer
	for _, step := range []struct {
		sent, kept int64
		commit     bool
	}{{10, 10, true}, {20, 10, false}, {30, 30, true}} {
		// The end of the transaction before may still be on its way to the group.
		if err := until("the group is in the transaction", func() (bool, error) {
			added, err := client.AddOffsetsToTxn(ctx, &kafka.AddOffsetsToTxnRequest{
				TransactionalID: id, ProducerID: producer.ProducerID, ProducerEpoch: producer.ProducerEpoch, GroupID: group,
			})
			if err != nil || errors.Is(added.Error, kafka.ConcurrentTransactions) {
				return false, err
			}
			return true, added.Error
		}); err != nil {
			return err
		}
		sent, err := client.TxnOffsetCommit(ctx, &kafka.TxnOffsetCommitRequest{
			TransactionalID: id, GroupID: group, ProducerID: producer.ProducerID, ProducerEpoch: producer.ProducerEpoch, GenerationID: -1,
			Topics: map[string][]kafka.TxnOffsetCommit{topic: {{Partition: 0, Offset: step.sent}}},
		})
		if err != nil || sent.Topics[topic][0].Error != nil {
			return fmt.Errorf("sent %v, %w", sent, err)
		}
		ended, err := client.EndTxn(ctx, &kafka.EndTxnRequest{
			TransactionalID: id, ProducerID: producer.ProducerID, ProducerEpoch: producer.ProducerEpoch, Committed: step.commit,
		})
		if err != nil || ended.Error != nil {
			return fmt.Errorf("ended %v, %w", ended, err)
		}
		if err := until("the end is told to the group", func() (bool, error) {
			offsets, err := committed(ctx, 0)
			return offsets[0] == step.kept, err
		}); err != nil {
			return err
		}
	}
	return nil
}
