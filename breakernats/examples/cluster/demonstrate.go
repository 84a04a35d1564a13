package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// demonstrate is the whole program. The error is nil if everything happened as it should.
func demonstrate(ctx context.Context, out io.Writer, url string, many int) error {
	d := &demonstration{out: out, url: url, bucket: fmt.Sprint("breaker_example_", os.Getpid()), begin: time.Now()}
	defer d.end()
	for _, step := range []func(context.Context) error{
		d.startServers,
		d.createBucket,
		func(ctx context.Context) error { return d.startWorkers(ctx, many) },
		d.killLeader,
		d.trip,
		d.startLate,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

type demonstration struct {
	out         io.Writer
	url, bucket string
	begin       time.Time
	// own are the servers, nil if they are the user's.
	own     *servers
	workers []*process

	nc *nats.Conn
	js jetstream.JetStream
}

// say prints what happens, and when.
func (d *demonstration) say(format string, args ...any) {
	fmt.Fprintf(d.out, "%6.2fs  "+format+"\n", append([]any{time.Since(d.begin).Seconds()}, args...)...)
}

func (d *demonstration) startServers(ctx context.Context) (err error) {
	if d.url == "" {
		if d.own, err = startServers(ctx, "north", "east", "west"); err != nil {
			return err
		}
		d.url = d.own.url()
		d.say("a cluster of %d servers: %s", len(d.own.urls), d.url)
	}
	if d.nc, err = nats.Connect(d.url, nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond)); err != nil {
		return err
	}
	d.js, err = jetstream.New(d.nc)
	return err
}

func (d *demonstration) createBucket(ctx context.Context) error {
	config := jetstream.KeyValueConfig{Bucket: d.bucket, TTL: time.Hour, Replicas: 1, Storage: jetstream.MemoryStorage}
	if d.own != nil {
		config.Replicas, config.Storage = 3, jetstream.FileStorage
	}
	for {
		err := d.tryCreate(ctx, config)
		if err == nil {
			d.say("bucket %s, %d replicas", d.bucket, config.Replicas)
			return nil
		}
		if d.own == nil {
			return fmt.Errorf("bucket %s: %w", d.bucket, err)
		}
		// A cluster that has just been started has to elect a leader first.
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// tryCreate doesn't wait for long: without a leader there is no answer at all.
func (d *demonstration) tryCreate(ctx context.Context, config jetstream.KeyValueConfig) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err := d.js.CreateKeyValue(ctx, config)
	return err
}

func (d *demonstration) startWorker(name string) (*process, error) {
	p, err := spawn("worker", workerParameters{name, d.url, d.bucket})
	if err == nil {
		d.workers = append(d.workers, p)
	}
	return p, err
}

func (d *demonstration) startWorkers(ctx context.Context, many int) error {
	for i := range many {
		if _, err := d.startWorker(fmt.Sprint("worker-", i+1)); err != nil {
			return err
		}
	}
	for _, p := range d.workers {
		if _, err := p.expect(ctx, "working"); err != nil {
			return err
		}
	}
	d.say("%d workers, processes of their own, do %d tasks each", many, tasks)
	return nil
}

// killLeader kills the server that every trip has to go through, without waiting for what the
// others do about it.
func (d *demonstration) killLeader(ctx context.Context) error {
	if d.own == nil {
		return nil
	}
	stream, err := d.js.Stream(ctx, "KV_"+d.bucket)
	if err != nil {
		return err
	}
	leader := stream.CachedInfo().Cluster.Leader
	if err := d.own.kill(leader); err != nil {
		return err
	}
	d.say("server %s, the leader of the bucket, has been killed", leader)
	return nil
}

// trip has the first worker stop the job, and shows what the others do.
func (d *demonstration) trip(ctx context.Context) error {
	d.say("worker-1 trips %q", job)
	if err := d.workers[0].tell("trip"); err != nil {
		return err
	}
	// The first worker is stopped by its own trip: what comes first is a matter of luck.
	var won event
	var stopped []event
	for range 2 {
		e, err := d.workers[0].next(ctx)
		if err != nil {
			return err
		}
		switch e.What {
		case "tripped":
			won = e
		case "stopped":
			stopped = append(stopped, e)
		}
	}
	if !won.Won || len(stopped) != 1 {
		return errors.New("worker-1 hasn't tripped")
	}
	d.say("revision %d is set, %v after it was asked for", won.Revision, won.Took.Round(time.Millisecond))
	for _, p := range d.workers[1:] {
		e, err := p.expect(ctx, "stopped")
		if err != nil {
			return err
		}
		stopped = append(stopped, e)
	}
	return d.report(ctx, won, stopped)
}

// report prints which worker stopped why, and how long after the key was set in the bucket.
func (d *demonstration) report(ctx context.Context, won event, stopped []event) error {
	kv, err := d.js.KeyValue(ctx, d.bucket)
	if err != nil {
		return err
	}
	entry, err := kv.Get(ctx, job)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "\n%-10s %8s  %-10s %8s  %s\n", "who", "steps", "by", "revision", "cause")
	var delays []time.Duration
	for i, e := range stopped {
		fmt.Fprintf(d.out, "%-10s %8d  %-10s %8d  %s\n", e.Name, e.Steps, e.By, e.Revision, e.Cause)
		if e.Revision != won.Revision || e.By != stopped[0].By || e.Cause != stopped[0].Cause {
			return fmt.Errorf("%s has another cause than %s", e.Name, stopped[0].Name)
		}
		if i == 0 {
			continue // it wasn't told by the cluster
		}
		for _, at := range e.Stopped {
			delays = append(delays, at.Sub(entry.Created()))
		}
	}
	slices.Sort(delays)
	fmt.Fprintf(d.out, "\nset → stopped, %d tasks of the other %d workers: ", len(delays), len(stopped)-1)
	fmt.Fprintf(d.out, "median %v, 99th percentile %v, last %v\n\n",
		percentile(delays, 50), percentile(delays, 99), percentile(delays, 100))
	return nil
}

// percentile returns the value that so many percent of the sorted ones don't exceed.
func percentile(sorted []time.Duration, percent int) time.Duration {
	at := (len(sorted)*percent + 99) / 100
	return sorted[max(at-1, 0)].Round(time.Microsecond)
}

// startLate starts a worker after everything is over.
func (d *demonstration) startLate(ctx context.Context) error {
	p, err := d.startWorker("latecomer")
	if err != nil {
		return err
	}
	e, err := p.expect(ctx, "refused")
	if err != nil {
		return err
	}
	d.say("%s doesn't begin: tripped by %s, %s", e.Name, e.By, e.Cause)
	return nil
}

func (d *demonstration) end() {
	for _, p := range d.workers {
		p.stop()
	}
	if d.nc != nil {
		if d.own == nil && d.js != nil {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			_ = d.js.DeleteKeyValue(ctx, d.bucket) // if not now, its keys expire
		}
		d.nc.Close()
	}
	if d.own != nil {
		d.own.stop()
	}
}
