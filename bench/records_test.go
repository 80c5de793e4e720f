package bench

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"deepstream-fast/codec"
	"deepstream-fast/protocol"
	"deepstream-fast/record"
	"deepstream-fast/record/cache"
)

// BenchmarkRecordWrite is the table of cmd/records as Go benchmarks: an op is one acknowledged write.
func BenchmarkRecordWrite(b *testing.B) {
	servers := []Server{FastAck, FastInterval, FastNone}
	rig := recordRig(b, servers...)
	for _, inFlight := range []int{1, 8} {
		for _, server := range servers { // innermost: they share the neighbours' weather
			c := WriteCase{Server: server, Writers: 64, InFlight: inFlight, Bytes: 200}
			b.Run(c.String(), func(b *testing.B) {
				bout, err := rig.BeginWrites(c)
				if err != nil {
					b.Fatal(err)
				}
				defer bout.End()
				b.ResetTimer()
				s, err := bout.Measure(b.N, 0)
				reportRecords(b, s, "write", err)
			})
		}
	}
}

// BenchmarkRecordReads has one client subscribe to 10,000 cached records in one message: an op is the
// whole, answered.
func BenchmarkRecordReads(b *testing.B) {
	rig := recordRig(b, FastAck)
	c := WriteCase{Server: FastAck, Writers: 16, InFlight: 16, Records: 625, Bytes: 200}
	b.Run("names=10000/doc=200B", func(b *testing.B) {
		bout, err := rig.BeginWrites(c)
		if err != nil {
			b.Fatal(err)
		}
		defer bout.End()
		if err := bout.Fill(); err != nil {
			b.Fatal(err)
		}
		b.ResetTimer()
		s, err := bout.MeasureReads(b.N)
		reportRecords(b, s, "record", err)
	})
}

func recordRig(b *testing.B, servers ...Server) *Rig {
	b.Helper()
	rig, err := NewRig(true, servers...)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(rig.Close)
	return rig
}

func reportRecords(b *testing.B, s Sample, op string, err error) {
	b.Helper()
	b.StopTimer()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(s.CPU, "server-cpu-ns/"+op)
	b.ReportMetric(s.PerSecond, op+"s/s")
	b.ReportMetric(float64(s.P50.Nanoseconds())/1e3, "p50-us")
	b.ReportMetric(float64(s.P99.Nanoseconds())/1e3, "p99-us")
}

// recordBench is a record home between the codec and nothing: it encodes what it is told to send and
// confirms what it is told to save.
type recordBench struct {
	home  *record.Home
	wire  []byte
	saves []uint64
	sent  int
}

func (r *recordBench) Send(_ protocol.ConnID, m *protocol.Message) {
	r.wire = codec.Append(r.wire[:0], m)
	r.sent++
}

func (r *recordBench) Broadcast(_ []byte, _ protocol.ConnID, m *protocol.Message, _ []byte) {
	r.wire = codec.Append(r.wire[:0], m)
	r.sent++
}

func (r *recordBench) Save(_ *record.Save, token uint64) bool {
	r.saves = append(r.saves, token)
	return true
}

func (r *recordBench) DropSubscribers([]byte, []protocol.ConnID) {}
func (r *recordBench) Unsubscribe(protocol.ConnID, []byte)       {}
func (r *recordBench) HasSubscribers([]byte) bool                { return true }
func (r *recordBench) Load([]byte, uint64) bool                  { return false }
func (r *recordBench) LoadHeads([][]byte, uint64) bool           { return false }
func (r *recordBench) NotifyDone(uint64)                         {}
func (r *recordBench) StartTimer(time.Duration, uint8)           {}

// handle does what a loop does with the wire form of a message about one of its own names.
func (r *recordBench) handle(wire []byte) error {
	var m protocol.Message
	if _, err := codec.Decode(&m, wire); err != nil {
		return err
	}
	q := record.Request{From: 7, Name: m.Name, CorrelationID: m.CorrelationID}
	switch m.Action {
	case protocol.RecordRead:
		r.home.Read(q)
	case protocol.RecordSubscribeCreateAndRead:
		for it := m.Names.Iter(); it.Next(); {
			q.Name = it.Name()
			r.home.SubscribeRead(record.Subscribe{Request: q, Action: m.Action, Fresh: true})
		}
	default:
		w := record.Write{
			Request: q, Action: m.Action, Version: m.Version, HasVersion: m.HasVersion,
			WantsAck: m.IsWriteAck, Path: m.Path, Data: m.Data,
		}
		w.Validate()
		r.home.Write(w)
	}
	for _, token := range r.saves {
		r.home.Saved(token, nil)
	}
	r.saves = r.saves[:0]
	return nil
}

const microRecords = 10_000

// newRecordBench returns a home whose cache has microRecords documents of size bytes, and their names.
func newRecordBench(size int) (*recordBench, [][]byte) {
	r, names := &recordBench{}, make([][]byte, microRecords)
	kept := cache.New(cache.Options{})
	doc := microDocument(size)
	for i := range names {
		names[i] = fmt.Appendf(nil, "bench/item%06d", i)
		kept.Put(names[i], 1, doc)
	}
	r.home = record.NewHome(record.Options{}, kept, r)
	return r, names
}

// microDocument returns a document of size bytes with a number at path n.
func microDocument(size int) []byte {
	const frame = `{"n":123456,"text":""}`
	return fmt.Appendf(nil, `{"n":123456,"text":%q}`, strings.Repeat("x", size-len(frame)))
}

func microRequests(size int, names [][]byte) map[string]*protocol.Message {
	write := protocol.Message{
		Topic: protocol.TopicRecord, Name: names[0], CorrelationID: []byte("42"),
		HasVersion: true, Version: protocol.AnyVersion, IsWriteAck: true,
	}
	update, patch := write, write
	update.Action, update.Data = protocol.RecordUpdate, microDocument(size)
	patch.Action, patch.Path, patch.Data = protocol.RecordPatch, []byte("n"), []byte("654321")
	subscribe := protocol.Message{Topic: protocol.TopicRecord, Action: protocol.RecordSubscribeCreateAndRead, CorrelationID: []byte("42")}
	one := subscribe
	one.Names, subscribe.Names = protocol.ListNames(names[:1]), protocol.ListNames(names)
	return map[string]*protocol.Message{
		"update":                 &update,
		"patch":                  &patch,
		"read":                   {Topic: protocol.TopicRecord, Action: protocol.RecordRead, Name: names[0]},
		"subscribe+read/names=1": &one,
		fmt.Sprintf("subscribe+read/names=%d", microRecords): &subscribe,
	}
}

// BenchmarkMicroRecord takes a request about cached records from its wire form to that of the answer, and
// of the broadcast if it is an acknowledged write, in the process and without socket, registry or store.
func BenchmarkMicroRecord(b *testing.B) {
	for _, size := range []int{200, 16 << 10} {
		r, names := newRecordBench(size)
		for name, m := range microRequests(size, names) {
			b.Run(fmt.Sprintf("op=%s/doc=%dB", name, size), func(b *testing.B) {
				wire := codec.Append(nil, m)
				b.ReportAllocs()
				for b.Loop() {
					if err := r.handle(wire); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// Every request of the benchmark is carried out and answered: none measures a refusal.
func TestMicroRecordsAreAnswered(t *testing.T) {
	r, names := newRecordBench(200)
	want := map[protocol.Action]protocol.Action{
		protocol.RecordUpdate:                 protocol.RecordWriteAcknowledgement,
		protocol.RecordPatch:                  protocol.RecordWriteAcknowledgement,
		protocol.RecordRead:                   protocol.RecordReadResponse,
		protocol.RecordSubscribeCreateAndRead: protocol.RecordReadResponse,
	}
	for name, m := range microRequests(200, names) {
		before := r.sent
		if err := r.handle(codec.Append(nil, m)); err != nil {
			t.Fatal(err)
		}
		var answer protocol.Message
		if _, err := codec.Decode(&answer, r.wire); err != nil || answer.Action != want[m.Action] {
			t.Errorf("%s: answered with %v, %v", name, &answer, err)
		}
		if sent, least := r.sent-before, max(m.Names.Len(), 1); sent < least {
			t.Errorf("%s: %d messages, want %d", name, sent, least)
		}
	}
}

// The servers with a storage lose nothing under the writers, and answer every record of a long list.
func TestServersKeepWhatTheyAcknowledge(t *testing.T) {
	rig, err := NewRig(false, FastAck, FastInterval, FastNone)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rig.Close)
	for _, server := range []Server{FastAck, FastInterval, FastNone} {
		t.Run(string(server), func(t *testing.T) {
			b, err := rig.BeginWrites(WriteCase{Server: server, Writers: 8, InFlight: 4, Records: 25})
			if err != nil {
				t.Fatal(err)
			}
			defer b.End()
			if err := b.Fill(); err != nil {
				t.Fatal(err)
			}
			s, err := b.MeasureReads(2)
			if err != nil || s.CPU <= 0 || s.PerSecond <= 0 {
				t.Errorf("%+v, %v", s, err)
			}
		})
	}
}

func TestUpdatesReachEverySubscriber(t *testing.T) {
	rig, err := NewRig(false, FastAck)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rig.Close)
	b, err := rig.Begin(Case{Server: FastAck, Mode: Saturated, Subscribers: 30, Record: true})
	if err != nil {
		t.Fatal(err)
	}
	defer b.End()
	if _, err := b.Measure(500, 0); err != nil {
		t.Error(err)
	}
}

func TestComparison(t *testing.T) {
	c := Comparison{Base: "old"}
	for i, rate := range []float64{1e3, 4e3, 2e3} {
		c.Add("writes", "old", Sample{CPU: 2000, PerSecond: rate, Busy: 0.5, P50: time.Millisecond, P99: time.Duration(i) * time.Millisecond})
		c.Add("writes", "new", Sample{CPU: 1000, PerSecond: 2.5 * rate, Busy: 1, P50: time.Millisecond, P99: time.Millisecond})
	}
	var got strings.Builder
	if err := c.Write(&got); err != nil {
		t.Fatal(err)
	}
	want := `| load | contestant | k op/s | CPU µs/op | CPU busy % | p50 ms | p99 ms | op/s ÷ old | CPU/op ÷ old |
|---|---|---|---|---|---|---|---|---|
| writes | old | 2.0 (1.0–4.0) | 2.000 (2.000–2.000) | 50 | 1.00 (1.00–1.00) | 1.00 (0.00–2.00) |  |  |
| writes | new | 5.0 (2.5–10.0) | 1.000 (1.000–1.000) | 100 | 1.00 (1.00–1.00) | 1.00 (1.00–1.00) | 2.50 (2.50–2.50) | 0.50 (0.50–0.50) |
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

func TestSyncTime(t *testing.T) {
	rig, err := NewRig(false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rig.Close)
	if d, err := rig.SyncTime(); err != nil || d <= 0 || d > time.Second {
		t.Errorf("an fdatasync takes %v, %v", d, err)
	}
}
