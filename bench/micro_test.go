package bench

import (
	"fmt"
	"testing"
	"time"

	"deepstream-fast/codec"
	"deepstream-fast/fanout"
	"deepstream-fast/protocol"
	"deepstream-fast/registry"
	"deepstream-fast/timer"
)

// BenchmarkMicro measures the steps of the hot paths one by one, in the process and without a socket.
// The packages have finer benchmarks of their own.
func BenchmarkMicro(b *testing.B) {
	b.Run("decode", microDecode)
	b.Run("encode", microEncode)
	b.Run("subscribe", microSubscribe)
	b.Run("unsubscribe-all", microUnsubscribeAll)
	b.Run("publish", microPublish)
	b.Run("timer", microTimer)
}

var payload64 = []byte(`"0123456789012345678901234567890123456789012345678901234567890"`)

func microMessages() map[string]*protocol.Message {
	names := make([][]byte, 50)
	for i := range names {
		names[i] = fmt.Appendf(nil, "bench/topic/%06d", i)
	}
	return map[string]*protocol.Message{
		"emit":          {Topic: protocol.TopicEvent, Action: protocol.EventEmit, Name: []byte("bench/topic/000001"), Data: payload64},
		"subscribe-50":  {Topic: protocol.TopicEvent, Action: protocol.EventSubscribe, CorrelationID: []byte("12"), Names: protocol.ListNames(names)},
		"rpc-request":   {Topic: protocol.TopicRPC, Action: protocol.RPCRequest, Name: []byte("add"), CorrelationID: []byte("kq3v1z0e8x"), Data: payload64},
		"record-patch":  {Topic: protocol.TopicRecord, Action: protocol.RecordPatch, Name: []byte("user/1"), CorrelationID: []byte("7"), Path: []byte("a.b[3]"), Data: payload64, HasVersion: true, Version: 12, IsWriteAck: true},
		"subscribe-ack": {Topic: protocol.TopicEvent, Action: protocol.EventSubscribe, CorrelationID: []byte("12"), IsAck: true},
	}
}

func microDecode(b *testing.B) {
	for name, m := range microMessages() {
		b.Run("message="+name, func(b *testing.B) {
			wire := codec.Append(nil, m)
			var got protocol.Message
			b.ReportAllocs()
			b.SetBytes(int64(len(wire)))
			for b.Loop() {
				if _, err := codec.Decode(&got, wire); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func microEncode(b *testing.B) {
	for name, m := range microMessages() {
		b.Run("message="+name, func(b *testing.B) {
			buf := codec.Append(nil, m)
			b.ReportAllocs()
			b.SetBytes(int64(len(buf)))
			for b.Loop() {
				buf = codec.Append(buf[:0], m)
			}
		})
	}
}

const microConns, microNames = 1000, 1000

// topicKeys returns the registry keys of one connection's subscriptions.
func topicKeys(conn int, shared bool) [][]byte {
	if shared {
		conn = 0
	}
	keys := make([][]byte, microNames)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "ebench/%06d/item%03d", conn, i)
	}
	return keys
}

func kinds(b *testing.B, run func(b *testing.B, shared bool)) {
	for _, kind := range []string{"shared", "distinct"} {
		b.Run("names="+kind, func(b *testing.B) { run(b, kind == "shared") })
	}
}

// microSubscribe fills an empty registry up to a million subscriptions, then begins again.
func microSubscribe(b *testing.B) {
	kinds(b, func(b *testing.B, shared bool) {
		b.ReportAllocs()
		var loop *registry.Loop
		for i := range b.N {
			conn, name := i/microNames%microConns, i%microNames
			if i%(microConns*microNames) == 0 {
				b.StopTimer()
				loop = registry.NewLoop(registry.NewTable(registry.Options{Loops: 1}), 0)
				b.StartTimer()
			}
			if shared {
				name, conn = conn, name // walk the connections of a name, as a popular one is filled
			}
			var key [32]byte
			id := conn
			if shared {
				id = 0
			}
			if _, err := loop.Subscribe(uint32(conn), fmt.Appendf(key[:0], "ebench/%06d/item%03d", id, name)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// microUnsubscribeAll closes a connection of 1,000 subscriptions among a million others; ns/op are
// per subscription.
func microUnsubscribeAll(b *testing.B) {
	kinds(b, func(b *testing.B, shared bool) {
		loop := filledLoop(b, shared)
		keys := topicKeys(0, shared)
		b.ReportAllocs()
		b.ResetTimer()
		for done := 0; done < b.N; done += microNames {
			for loop.RemoveConn(0, microNames, func(registry.TopicRef, []byte, bool) {}) {
			}
			b.StopTimer()
			loop.Quiesce()
			for _, k := range keys {
				if _, err := loop.Subscribe(0, k); err != nil {
					b.Fatal(err)
				}
			}
			b.StartTimer()
		}
	})
}

func filledLoop(b *testing.B, shared bool) *registry.Loop {
	b.Helper()
	loop := registry.NewLoop(registry.NewTable(registry.Options{Loops: 1}), 0)
	for conn := range microConns {
		for _, k := range topicKeys(conn, shared) {
			if _, err := loop.Subscribe(uint32(conn), k); err != nil {
				b.Fatal(err)
			}
		}
	}
	return loop
}

// discard counts deliveries and keeps nothing.
type discard struct {
	deliveries int
	sum        uint32
	room       [1 << 10]byte
}

func (d *discard) SendAll(slots []uint32, _ uint32, _ []byte) {
	for _, slot := range slots { // as the engine does
		d.sum += slot
	}
	d.deliveries += len(slots)
}

func (d *discard) Room(n int) []byte { return d.room[:0:n] }

func (d *discard) PostFanout(int, registry.TopicRef, protocol.ConnID, []byte) {
}

// microPublish looks a name up, encodes the message once and walks its k subscribers, among n other
// subscriptions.
func microPublish(b *testing.B) {
	for _, k := range []int{1, 10, 1000} {
		b.Run(fmt.Sprintf("subs=%d/of=1000000/payload=64B", k), func(b *testing.B) {
			table := registry.NewTable(registry.Options{Loops: 1})
			loop := registry.NewLoop(table, 0)
			for conn := range microConns {
				for _, key := range topicKeys(conn, false) {
					if _, err := loop.Subscribe(uint32(conn), key); err != nil {
						b.Fatal(err)
					}
				}
			}
			for conn := range k {
				if _, err := loop.Subscribe(uint32(conn), []byte("ehot")); err != nil {
					b.Fatal(err)
				}
			}
			out := &discard{}
			fan := fanout.New(0, table, loop, out)
			m := &protocol.Message{Topic: protocol.TopicEvent, Action: protocol.EventEmit, Name: []byte("hot"), Data: payload64}
			key := []byte("ehot")
			b.ReportAllocs()
			b.SetBytes(int64(k * len(payload64))) // payload bytes queued per publish
			for b.Loop() {
				fan.Publish(key, 0, m)
			}
			b.ReportMetric(float64(out.deliveries)/b.Elapsed().Seconds(), "deliveries/s")
		})
	}
}

func microTimer(b *testing.B) {
	const pending = 1_000_000
	fill := func(b *testing.B) (*timer.Wheel, []timer.ID) {
		b.Helper()
		w := timer.New(timer.Options{})
		w.Start(0)
		ids := make([]timer.ID, pending)
		for i := range ids {
			ids[i] = w.Add(time.Duration(i%30_000)*time.Millisecond+time.Minute, 1, uint64(i))
		}
		return w, ids
	}
	b.Run("op=add/pending=1000000", func(b *testing.B) {
		w, _ := fill(b)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if w.Add(time.Duration(i%30_000)*time.Millisecond+time.Minute, 1, uint64(i)) == 0 {
				b.StopTimer()
				w, _ = fill(b)
				b.StartTimer()
			}
		}
	})
	b.Run("op=cancel+add/pending=1000000", func(b *testing.B) {
		w, ids := fill(b)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			j := i * 7919 % pending
			w.Cancel(ids[j])
			ids[j] = w.Add(time.Duration(i%30_000)*time.Millisecond+time.Minute, 1, uint64(j))
		}
	})
	b.Run("op=expire/pending=1000000", func(b *testing.B) {
		w, _ := fill(b)
		now, fired := time.Duration(0), 0
		fire := func(_ uint8, key uint64) {
			fired++
			w.Add(now+time.Duration(key%30_000)*time.Millisecond+time.Minute, 1, key)
		}
		b.ReportAllocs()
		b.ResetTimer()
		for fired < b.N {
			now += 64 * time.Millisecond
			w.Advance(now, fire)
		}
	})
}
