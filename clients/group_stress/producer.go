package main

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// producer sends small records to all partitions in turn, and remembers what was acknowledged.
type producer struct {
	trial  *trial
	client *kgo.Client
	ending context.CancelFunc
	done   chan struct{}

	lock sync.Mutex
	ends map[string][]int64
}

func startProducer(t *trial) (*producer, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(t.bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DisableClientMetrics(),
		kgo.ProducerLinger(20*time.Millisecond), kgo.RetryBackoffFn(backoff), kgo.MetadataMinAge(500*time.Millisecond))
	if err != nil {
		return nil, err
	}
	ctx, ending := context.WithCancel(context.Background())
	p := &producer{trial: t, client: client, ending: ending, done: make(chan struct{}), ends: map[string][]int64{}}
	for _, topic := range t.topics {
		p.ends[topic] = make([]int64, t.partitions)
	}
	go p.send(ctx)
	return p, nil
}

func (p *producer) send(ctx context.Context) {
	defer close(p.done)
	pause := time.NewTicker(10 * time.Millisecond)
	defer pause.Stop()
	began, sent := time.Now(), 0
	for ctx.Err() == nil {
		due := int(time.Since(began).Seconds() * float64(p.trial.recordsPerSecond))
		for ; sent < due; sent++ {
			topic := p.trial.topics[sent%len(p.trial.topics)]
			partition := int32(sent / len(p.trial.topics) % p.trial.partitions)
			record := &kgo.Record{Topic: topic, Partition: partition, Value: []byte(strconv.Itoa(sent))}
			p.client.Produce(context.Background(), record, p.acknowledged)
		}
		<-pause.C
	}
}

func (p *producer) acknowledged(record *kgo.Record, err error) {
	if err != nil {
		p.trial.judge.fault("a record was not taken: %v", err)
		return
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	ends := p.ends[record.Topic]
	ends[record.Partition] = max(ends[record.Partition], record.Offset+1)
}

// stop ends the sending; the ends of all partitions, below which every record must be read.
func (p *producer) stop(ctx context.Context) (map[string][]int64, error) {
	p.ending()
	<-p.done
	if err := p.client.Flush(ctx); err != nil {
		return nil, err
	}
	p.client.Close()
	listed, err := p.trial.admin.ListEndOffsets(ctx, p.trial.topics...)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, err
	}
	for topic, ends := range p.ends {
		for partition, acknowledged := range ends {
			one, _ := listed.Lookup(topic, int32(partition))
			if one.Offset != acknowledged {
				p.trial.judge.fault("records: %s partition %d ends at %d, acknowledged up to %d", topic, partition, one.Offset, acknowledged)
			}
		}
	}
	return p.ends, nil
}
