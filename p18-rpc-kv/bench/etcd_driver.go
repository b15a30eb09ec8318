// etcd_driver drives an etcd cluster by etcd's own client library over gRPC: so
// many clients, each with a connection of its own, each one request at a time.
//
// It does what kv_driver does, and prints the same line, so that both are
// measured alike: operations, nanoseconds, p50 and p99 in nanoseconds.
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/clientv3"
)

const (
	keys = 64  // of each client
	size = 256 // bytes of a value
)

// etcd_driver JOB CLIENTS SECONDS HOST:PORT,… with the jobs put, get, stale and
// gaps.
var (
	job       string
	clients   int
	seconds   float64
	endpoints []string
)

func die(err error) {
	fmt.Fprintln(os.Stderr, "etcd_driver:", err)
	os.Exit(1)
}

// One client: its keys are its own, so that it knows what they hold.
type client struct {
	number  int
	etcd    *clientv3.Client
	written []uint64 // the number of the last value of each key
	took    []int64
}

func open(number int) *client {
	etcd, err := clientv3.New(clientv3.Config{
		Endpoints:   endpoints,
		DialTimeout: 5 * time.Second,
	})
	if err != nil {
		die(err)
	}
	return &client{number: number, etcd: etcd,
		written: make([]uint64, keys)}
}

func (c *client) key(i int) string {
	return fmt.Sprintf("%06d-%09d", c.number, i)
}

// A value that says whose it is, and which.
func (c *client) value(i int, n uint64) []byte {
	value := make([]byte, size)
	copy(value, c.key(i))
	binary.BigEndian.PutUint64(value[16:], n)
	for j := 24; j < len(value); j++ {
		value[j] = byte(n) + byte(j)
	}
	return value
}

func (c *client) put(ctx context.Context, i int, n uint64) error {
	_, err := c.etcd.Put(ctx, c.key(i), string(c.value(i, n)))
	if err == nil {
		c.written[i] = n
	}
	return err
}

func (c *client) get(ctx context.Context, i int, stale bool) error {
	var options []clientv3.OpOption
	if stale {
		options = append(options, clientv3.WithSerializable())
	}
	found, err := c.etcd.Get(ctx, c.key(i), options...)
	if err != nil {
		return err
	}
	if len(found.Kvs) != 1 ||
		!bytes.Equal(found.Kvs[0].Value, c.value(i, c.written[i])) {
		return fmt.Errorf("%s is not what was put there", c.key(i))
	}
	return nil
}

func (c *client) do(i int, n uint64) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	switch job {
	case "put":
		return c.put(ctx, i, n)
	case "get":
		return c.get(ctx, i, false)
	default:
		return c.get(ctx, i, true)
	}
}

func each(all []*client, do func(c *client)) {
	var group sync.WaitGroup
	for _, c := range all {
		group.Add(1)
		go func(c *client) {
			defer group.Done()
			do(c)
		}(c)
	}
	group.Wait()
}

// Puts every key, so that there is something to get.
func (c *client) fill() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for i := range c.written {
		if err := c.put(ctx, i, 1); err != nil {
			die(err)
		}
	}
}

// Gets every key once more: whether all that was done was done.
func (c *client) verify() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for i := range c.written {
		if err := c.get(ctx, i, false); err != nil {
			die(err)
		}
	}
}

func (c *client) run(until time.Time) {
	random := rand.New(rand.NewSource(int64(c.number)))
	for n := uint64(2); ; n++ {
		begun := time.Now()
		if begun.After(until) {
			return
		}
		if err := c.do(random.Intn(keys), n); err != nil {
			die(err)
		}
		c.took = append(c.took, int64(time.Since(begun)))
	}
}

func percentile(sorted []int64, percent int) int64 {
	return sorted[(len(sorted)-1)*percent/100]
}

func measure() {
	all := make([]*client, clients)
	for i := range all {
		all[i] = open(i)
	}
	each(all, func(c *client) { c.fill() })
	begun := time.Now()
	until := begun.Add(time.Duration(seconds * float64(time.Second)))
	each(all, func(c *client) { c.run(until) })
	elapsed := time.Since(begun)
	each(all, func(c *client) { c.verify() })
	var took []int64
	for _, c := range all {
		took = append(took, c.took...)
	}
	if len(took) == 0 {
		die(fmt.Errorf("nothing was done in time"))
	}
	sort.Slice(took, func(a, b int) bool { return took[a] < took[b] })
	fmt.Println(len(took), elapsed.Nanoseconds(), percentile(took, 50),
		percentile(took, 99))
}

// Puts until it is killed, and prints each time between two that were done that
// is longer than 100 ms.
func gaps() {
	c := open(0)
	last := time.Now()
	for n := uint64(1); ; n++ {
		ctx, cancel := context.WithTimeout(context.Background(),
			200*time.Millisecond)
		err := c.put(ctx, 0, n)
		cancel()
		now := time.Now()
		if err == nil {
			if gap := now.Sub(last); gap > 100*time.Millisecond {
				fmt.Println("gap", gap.Nanoseconds())
			} else if n == 10 {
				fmt.Println("ready")
			}
			last = now
		}
	}
}

func parse() {
	var err error
	if len(os.Args) != 5 {
		die(fmt.Errorf("JOB CLIENTS SECONDS HOST:PORT,…"))
	}
	job = os.Args[1]
	if clients, err = strconv.Atoi(os.Args[2]); err != nil {
		die(err)
	}
	if seconds, err = strconv.ParseFloat(os.Args[3], 64); err != nil {
		die(err)
	}
	endpoints = strings.Split(os.Args[4], ",")
}

func main() {
	parse()
	if job == "gaps" {
		gaps()
	}
	measure()
}
