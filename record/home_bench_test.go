package record

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"deepstream-fast/internal/invariant" // the arguments of assertions allocate
	"deepstream-fast/protocol"
	"deepstream-fast/record/cache"
)

// sink is a store that keeps everything at once and an audience that listens to nothing.
type sink struct {
	home  *Home
	saves []uint64
	sent  int
}

func (s *sink) Send(protocol.ConnID, *protocol.Message)                      { s.sent++ }
func (s *sink) Broadcast([]byte, protocol.ConnID, *protocol.Message, []byte) { s.sent++ }
func (s *sink) DropSubscribers([]byte, []protocol.ConnID)                    {}
func (s *sink) Unsubscribe(protocol.ConnID, []byte)                          {}
func (s *sink) HasSubscribers([]byte) bool                                   { return true }
func (s *sink) Load([]byte, uint64) bool                                     { return false }
func (s *sink) LoadHeads([][]byte, uint64) bool                              { return false }
func (s *sink) NotifyDone(uint64)                                            {}
func (s *sink) StartTimer(time.Duration, uint8)                              {}
func (s *sink) Save(_ *Save, token uint64) bool                              { s.saves = append(s.saves, token); return true }

// answer confirms what was saved.
func (s *sink) answer() {
	for _, token := range s.saves {
		s.home.Saved(token, nil)
	}
	s.saves = s.saves[:0]
}

// newSink returns a Home that knows a record of about size bytes, named bench/record.
func newSink(size int, opts Options) *sink {
	s := &sink{}
	c := cache.New(cache.Options{})
	doc := fmt.Appendf(nil, `{"counter":1,"text":%q}`, bytes.Repeat([]byte("x"), size))
	c.Put(benchName, 1, doc)
	s.home = NewHome(opts, c, s)
	return s
}

var (
	benchName = []byte("bench/record")
	benchID   = []byte("42")
	benchPath = []byte("counter")
	benchData = []byte("12345")
)

func (s *sink) request() Request {
	return Request{From: 7, Name: benchName, CorrelationID: benchID}
}

func (s *sink) patch() {
	s.home.Write(Write{
		Request: s.request(), Action: protocol.RecordPatch, HasVersion: true, Version: protocol.AnyVersion,
		Path: benchPath, Data: benchData, WantsAck: true,
	})
	s.answer()
}

func (s *sink) update(doc []byte) {
	s.home.Write(Write{
		Request: s.request(), Action: protocol.RecordUpdate, HasVersion: true, Version: protocol.AnyVersion,
		Data: doc, WantsAck: true,
	})
	s.answer()
}

func (s *sink) subscribe() {
	s.home.SubscribeRead(Subscribe{Request: s.request(), Action: protocol.RecordSubscribeCreateAndRead, Fresh: true})
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	doc := []byte(`{"counter":2,"text":"abc"}`)
	for _, c := range []struct {
		name string
		opts Options
		f    func(*sink)
	}{
		{"update", Options{}, func(s *sink) { s.update(doc) }},
		{"patch", Options{}, (*sink).patch},
		{"update without store", Options{NoStorage: true}, func(s *sink) { s.update(doc) }},
		{"read", Options{}, func(s *sink) { s.home.Read(s.request()) }},
		{"head", Options{}, func(s *sink) { s.home.Head(s.request()) }},
		{"subscribe", Options{}, (*sink).subscribe},
		{"conflict", Options{}, func(s *sink) {
			s.home.Write(Write{Request: s.request(), Action: protocol.RecordUpdate, HasVersion: true, Version: 1, Data: doc})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSink(128, c.opts)
			for range 100 {
				c.f(s)
			}
			before := s.sent
			if n := testing.AllocsPerRun(200, func() { c.f(s) }); n != 0 && !invariant.Enabled || s.sent == before {
				t.Errorf("%v allocations, %d messages", n, s.sent-before)
			}
		})
	}
}

func benchmark(b *testing.B, f func(*sink)) {
	for _, size := range []int{200, 16 << 10} {
		b.Run(fmt.Sprintf("doc=%dB", size), func(b *testing.B) {
			s := newSink(size, Options{})
			b.ReportAllocs()
			for b.Loop() {
				f(s)
			}
		})
	}
}

// One acknowledged write, its save and the store's answer included.
func BenchmarkPatch(b *testing.B) { benchmark(b, (*sink).patch) }

func BenchmarkUpdate(b *testing.B) {
	for _, size := range []int{200, 16 << 10} {
		b.Run(fmt.Sprintf("doc=%dB", size), func(b *testing.B) {
			s := newSink(size, Options{})
			e, _ := s.home.cache.Get(benchName)
			doc := append([]byte(nil), e.Data...)
			b.ReportAllocs()
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				s.update(doc)
			}
		})
	}
}

func BenchmarkRead(b *testing.B) { benchmark(b, func(s *sink) { s.home.Read(s.request()) }) }

func BenchmarkSubscribeRead(b *testing.B) { benchmark(b, (*sink).subscribe) }
