// Package storetest is the contract of store.Store as tests. A backend passes Run unchanged, or it
// is not one.
//
// Stability: internal, may change. Only tests import it.
package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"deepstream-fast/store"
)

// Config is what the suite asks a backend for: a tombstone retention, a clock, a bound of the queue.
type Config struct {
	TombstoneRetention time.Duration
	Now                func() time.Time
	QueueBytesMax      int
}

// Backend makes stores for one test each. Open returns an empty store, with everything Config leaves
// zero at its default. Reopen closes s and opens what it kept; nil means that nothing is kept.
type Backend struct {
	Open   func(t *testing.T, c Config) store.Store
	Reopen func(t *testing.T, s store.Store) store.Store
}

// Run runs the suite.
func Run(t *testing.T, b Backend) {
	tests := []struct {
		name string
		run  func(t *testing.T, b Backend)
	}{
		{"absent", testAbsent},
		{"write and read", testWriteRead},
		{"delete leaves a tombstone", testTombstone},
		{"compare and set", testCompareAndSet},
		{"batch", testBatch},
		{"completion order", testOrder},
		{"bulk head", testHeadBulk},
		{"limits", testLimits},
		{"busy", testBusy},
		{"big values", testBigValues},
		{"close completes everything", testClose},
		{"retention", testRetention},
		{"random operations agree with a model", testModel},
		{"reopen", testReopen},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, b) })
	}
}

func open(t *testing.T, b Backend, c Config) store.Store {
	t.Helper()
	s := b.Open(t, c)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// Submit submits writes and waits for their outcomes.
func Submit(t testing.TB, s store.Store, writes ...store.Write) []store.Outcome {
	t.Helper()
	done := make(chan []store.Outcome, 1)
	if err := s.Submit(writes, func(o []store.Outcome) { done <- append([]store.Outcome{}, o...) }); err != nil {
		t.Fatalf("submit: %v", err)
	}
	return <-done
}

// Put submits writes and fails the test unless all succeed.
func Put(t testing.TB, s store.Store, writes ...store.Write) {
	t.Helper()
	for i, o := range Submit(t, s, writes...) {
		if o.Err != nil {
			t.Fatalf("write %q: %v", writes[i].Name, o.Err)
		}
	}
}

// Get reads a record and waits for it.
func Get(s store.Store, name string) (r store.Record, err error) {
	done := make(chan struct{})
	if err := s.Get([]byte(name), func(got store.Record, gotErr error) { r, err = got, gotErr; close(done) }); err != nil {
		return r, err
	}
	<-done
	return r, err
}

// Head reads a head and waits for it.
func Head(s store.Store, name string) (h store.Head, err error) {
	done := make(chan struct{})
	if err := s.Head([]byte(name), func(got store.Head, gotErr error) { h, err = got, gotErr; close(done) }); err != nil {
		return h, err
	}
	<-done
	return h, err
}

// HeadBulk reads heads and waits for them.
func HeadBulk(s store.Store, names [][]byte) (h []store.Head, err error) {
	done := make(chan struct{})
	if err := s.HeadBulk(names, func(got []store.Head, gotErr error) { h, err = got, gotErr; close(done) }); err != nil {
		return nil, err
	}
	<-done
	return h, err
}

// Expect fails the test unless name is at want with data, read both ways.
func Expect(t testing.TB, s store.Store, name string, want store.Head, data string) {
	t.Helper()
	r, err := Get(s, name)
	if err != nil || r.Head != want || string(r.Data) != data {
		t.Fatalf("get %q: %+v %.60q, %v; want %+v %.60q", name, r.Head, r.Data, err, want, data)
	}
	if h, err := Head(s, name); err != nil || h != want {
		t.Fatalf("head %q: %+v, %v; want %+v", name, h, err, want)
	}
}

// Live is the head of a live record, Deleted that of a tombstone.
func Live(version int32) store.Head { return store.Head{Version: version, State: store.StateLive} }

// Deleted is the head of a tombstone.
func Deleted(version int32) store.Head {
	return store.Head{Version: version, State: store.StateDeleted}
}

func put(name string, version int32, data string) store.Write {
	return store.Write{Name: []byte(name), Version: version, Data: []byte(data)}
}

func del(name string, version int32) store.Write {
	return store.Write{Name: []byte(name), Version: version, Deleted: true}
}

func (m model) check(t *testing.T, s store.Store) {
	t.Helper()
	for name, r := range m {
		Expect(t, s, name, r.Head, string(r.Data))
	}
}

func testAbsent(t *testing.T, b Backend) {
	s := open(t, b, Config{})
	Expect(t, s, "nobody", store.Absent, "")
}

func testWriteRead(t *testing.T, b Backend) {
	s := open(t, b, Config{})
	names := []string{"a", "a\x00", "a\x00\x01", "b/ü", strings.Repeat("n", store.NameBytesMax), "\xff\xff"}
	for i, name := range names {
		Put(t, s, put(name, int32(i), `{"i":1}`))
	}
	for i, name := range names {
		Expect(t, s, name, Live(int32(i)), `{"i":1}`)
	}
	Put(t, s, put("a", 1<<31-1, `[]`))
	Expect(t, s, "a", Live(1<<31-1), `[]`)
	Expect(t, s, "a\x00", Live(1), `{"i":1}`)
}

func testTombstone(t *testing.T, b Backend) {
	s := open(t, b, Config{})
	Put(t, s, put("x", 4, `{}`), put("y", 1, `{}`))
	Put(t, s, del("x", 5), del("never", 9))
	Expect(t, s, "x", Deleted(5), "")
	Expect(t, s, "never", Deleted(9), "")
	Expect(t, s, "y", Live(1), `{}`)
	Put(t, s, put("x", 2, `{"again":true}`)) // the store does not judge it
	Expect(t, s, "x", Live(2), `{"again":true}`)
}

func testCompareAndSet(t *testing.T, b Backend) {
	s := open(t, b, Config{})
	create := put("x", 1, `{"n":1}`)
	create.Check, create.Expect = true, -1
	stale := put("x", 2, `{"n":"stale"}`)
	stale.Check, stale.Expect, stale.Token = true, 0, 77
	next := put("x", 2, `{"n":2}`)
	next.Check, next.Expect = true, 1
	overTombstone := put("x", 1, `{"n":"resurrected"}`)
	overTombstone.Check, overTombstone.Expect = true, -1
	deleteNext := del("x", 3)
	deleteNext.Check, deleteNext.Expect = true, 2

	steps := []struct {
		write store.Write
		want  store.Outcome
	}{
		{create, store.Outcome{Head: Live(1)}},
		{create, store.Outcome{Err: store.ErrConflict, Head: Live(1)}},
		{stale, store.Outcome{Token: 77, Err: store.ErrConflict, Head: Live(1)}},
		{next, store.Outcome{Head: Live(2)}},
		{deleteNext, store.Outcome{Head: Deleted(3)}},
		{overTombstone, store.Outcome{Err: store.ErrConflict, Head: Deleted(3)}},
	}
	for i, step := range steps {
		if got := Submit(t, s, step.write)[0]; got != step.want {
			t.Fatalf("step %d: %+v, want %+v", i, got, step.want)
		}
	}
	// The same steps in one batch see each other.
	var writes []store.Write
	for _, step := range steps {
		step.write.Name = []byte("y")
		writes = append(writes, step.write)
	}
	for i, got := range Submit(t, s, writes...) {
		if got != steps[i].want {
			t.Fatalf("step %d in a batch: %+v, want %+v", i, got, steps[i].want)
		}
	}
	Expect(t, s, "y", Deleted(3), "")
}

func testBatch(t *testing.T, b Backend) {
	s := open(t, b, Config{})
	var writes []store.Write
	m := model{}
	for i := range 5000 {
		w := put(fmt.Sprintf("r/%d", i%3000), int32(i), fmt.Sprintf(`{"i":%d}`, i))
		w.Deleted = i%7 == 0
		w.Token = uint64(i)
		writes = append(writes, w)
		m.apply(&w)
	}
	for i, o := range Submit(t, s, writes...) {
		if o.Token != uint64(i) || o.Err != nil {
			t.Fatalf("outcome %d: %+v", i, o)
		}
	}
	m.check(t, s)
	st := s.Stats()
	if st.Writes != 5000 || st.QueueBytes != 0 {
		t.Fatalf("stats after 5000 writes: %+v", st)
	}
	for name, l := range map[string]store.Latency{"ack": st.AckTimes, "commit": st.CommitTimes, "load": st.LoadTimes} {
		if l.Count == 0 || l.Sum <= 0 || l.Below[store.LatencyBounds-1] > l.Count {
			t.Errorf("%s times after writes and reads: %+v", name, l)
		}
	}
}

func testOrder(t *testing.T, b Backend) {
	s := open(t, b, Config{})
	const n = 3000
	done := make(chan uint64, n)
	for i := range n {
		w := put("same", int32(i), `{}`)
		w.Token = uint64(i)
		if err := s.Submit([]store.Write{w}, func(o []store.Outcome) { done <- o[0].Token }); err != nil {
			t.Fatal(err)
		}
	}
	for i := range uint64(n) {
		if got := <-done; got != i {
			t.Fatalf("completion %d is of submission %d", i, got)
		}
	}
	Expect(t, s, "same", Live(n-1), `{}`)
}

func testHeadBulk(t *testing.T, b Backend) {
	s := open(t, b, Config{})
	var writes []store.Write
	for i := range 1000 {
		writes = append(writes, put(fmt.Sprintf("n%d", i*2), int32(i), `{}`))
	}
	Put(t, s, writes...)
	Put(t, s, del("n10", 99))
	names, want := [][]byte{[]byte("n10"), []byte("n10"), []byte("a"), []byte("z")}, []store.Head{Deleted(99), Deleted(99), store.Absent, store.Absent}
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(2000) {
		if i == 10 {
			continue
		}
		names = append(names, fmt.Appendf(nil, "n%d", i))
		if i%2 == 0 {
			want = append(want, Live(int32(i/2)))
		} else {
			want = append(want, store.Absent)
		}
	}
	got, err := HeadBulk(s, names)
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d heads, %v", len(got), err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("head of %q: %+v, want %+v", names[i], got[i], want[i])
		}
	}
	if got, err := HeadBulk(s, nil); err != nil || len(got) != 0 {
		t.Fatalf("no names: %v, %v", got, err)
	}
}

func testLimits(t *testing.T, b Backend) {
	s := open(t, b, Config{})
	never := func([]store.Outcome) { t.Error("done called although nothing was accepted") }
	half := make([]byte, store.SubmitBytesMax/2)
	for what, c := range map[string]struct {
		writes []store.Write
		want   error
	}{
		"no name":          {[]store.Write{put("", 1, "{}")}, store.ErrTooLarge},
		"long name":        {[]store.Write{put(strings.Repeat("n", store.NameBytesMax+1), 1, "{}")}, store.ErrTooLarge},
		"much data":        {[]store.Write{{Name: []byte("x"), Data: make([]byte, store.DataBytesMax+1)}}, store.ErrTooLarge},
		"much together":    {[]store.Write{{Name: []byte("x"), Data: half}, {Name: []byte("y"), Data: half}}, store.ErrTooLarge},
		"negative version": {[]store.Write{put("x", -1, "{}")}, store.ErrVersion},
	} {
		if err := s.Submit(c.writes, never); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
	if _, err := Get(s, ""); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("get without a name: %v", err)
	}
	if _, err := HeadBulk(s, make([][]byte, store.HeadBulkMax+1)); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("bulk head of too many: %v", err)
	}
}

func testBusy(t *testing.T, b Backend) {
	s := open(t, b, Config{QueueBytesMax: 1 << 20})
	release, held, over := make(chan struct{}), make(chan struct{}), make(chan struct{})
	if err := s.Submit(nil, func([]store.Outcome) { close(held); <-release }); err != nil {
		t.Fatal(err)
	}
	<-held // from here on nothing is completed, and thus nothing leaves the queue
	w := []store.Write{{Name: []byte("x"), Data: make([]byte, 100<<10)}}
	accepted, err := 0, error(nil)
	for err == nil {
		if err = s.Submit(w, func([]store.Outcome) {}); err == nil {
			accepted++
		}
	}
	if !errors.Is(err, store.ErrBusy) || accepted != 10 {
		t.Fatalf("%d writes of 100 KiB accepted, then %v; want 10 and %v", accepted, err, store.ErrBusy)
	}
	if st := s.Stats(); st.Busy != 1 || st.QueueBytes > 1<<20 {
		t.Fatalf("stats: %+v", st)
	}
	close(release)
	if err := s.Submit(nil, func([]store.Outcome) { close(over) }); err != nil && !errors.Is(err, store.ErrBusy) {
		t.Fatal(err)
	} else if err == nil {
		<-over
	}
}

func testBigValues(t *testing.T, b Backend) {
	s := open(t, b, Config{})
	big := `"` + strings.Repeat("v", store.DataBytesMax-2) + `"`
	Put(t, s, put("big", 1, big), put("small", 1, `{}`))
	Put(t, s, put("after", 2, `{}`))
	Expect(t, s, "big", Live(1), big)
	Expect(t, s, "small", Live(1), `{}`)
	Expect(t, s, "after", Live(2), `{}`)
}

func testClose(t *testing.T, b Backend) {
	s := b.Open(t, Config{})
	completed, reads := 0, make(chan error, 1)
	for i := range 500 {
		if err := s.Submit([]store.Write{put("x", int32(i), `{}`)}, func([]store.Outcome) { completed++ }); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Get([]byte("x"), func(_ store.Record, err error) { reads <- err }); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if completed != 500 || len(reads) != 1 {
		t.Fatalf("%d of 500 writes and %d of 1 read completed by Close", completed, len(reads))
	}
	if err := s.Submit(nil, func([]store.Outcome) {}); !errors.Is(err, store.ErrClosed) {
		t.Fatalf("submit after close: %v", err)
	}
	if _, err := Get(s, "x"); !errors.Is(err, store.ErrClosed) {
		t.Fatalf("get after close: %v", err)
	}
}

func testRetention(t *testing.T, b Backend) {
	clock := newClock()
	s := open(t, b, Config{TombstoneRetention: time.Hour, Now: clock.Now})
	Put(t, s, put("gone", 1, `{}`), put("back", 1, `{}`), put("again", 1, `{}`))
	Put(t, s, del("gone", 2), del("back", 2), del("again", 2))
	Put(t, s, put("back", 3, `{}`))
	pass := func(d time.Duration) { // one turn notices, and has swept when the next one completes
		clock.Advance(d)
		Submit(t, s)
		Submit(t, s)
	}
	pass(50 * time.Minute)
	Put(t, s, del("again", 4))
	Expect(t, s, "gone", Deleted(2), "")
	pass(15 * time.Minute)
	Expect(t, s, "gone", store.Absent, "")
	Expect(t, s, "back", Live(3), `{}`)
	Expect(t, s, "again", Deleted(4), "")
	pass(time.Hour)
	Expect(t, s, "again", store.Absent, "")
	Expect(t, s, "back", Live(3), `{}`)
	if swept := s.Stats().Swept; swept != 2 {
		t.Fatalf("%d tombstones collected, want 2", swept)
	}
}

// model is what a store should hold.
type model map[string]store.Record

func (m model) apply(w *store.Write) {
	r := store.Record{Head: w.Head()}
	if !w.Deleted {
		r.Data = bytes.Clone(w.Data)
	}
	m[string(w.Name)] = r
}

func (m model) head(name []byte) store.Head {
	if r, ok := m[string(name)]; ok {
		return r.Head
	}
	return store.Absent
}

func testModel(t *testing.T, b Backend) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	s, m := open(t, b, Config{}), model{}
	for range 300 {
		var writes []store.Write
		var want []store.Outcome
		for range rng.IntN(20) {
			w := put(fmt.Sprint(rng.IntN(50)), rng.Int32N(5), fmt.Sprintf(`{"r":%d}`, rng.Int()))
			w.Deleted, w.Check, w.Expect, w.Token = rng.IntN(4) == 0, rng.IntN(2) == 0, rng.Int32N(6)-1, rng.Uint64()
			writes = append(writes, w)
			if h := m.head(w.Name); !w.Expects(h) {
				want = append(want, store.Outcome{Token: w.Token, Err: store.ErrConflict, Head: h})
				continue
			}
			want = append(want, store.Outcome{Token: w.Token, Head: w.Head()})
			m.apply(&w)
		}
		for i, got := range Submit(t, s, writes...) {
			if got != want[i] {
				t.Fatalf("%+v: %+v, want %+v", writes[i], got, want[i])
			}
		}
	}
	m.check(t, s)
}

func testReopen(t *testing.T, b Backend) {
	s := b.Open(t, Config{})
	m := model{}
	for round := range 3 {
		for i := range 200 {
			w := put(fmt.Sprint(i), int32(round), fmt.Sprintf(`{"round":%d}`, round))
			w.Deleted = i%5 == round
			Put(t, s, w)
			m.apply(&w)
		}
		if b.Reopen == nil {
			break
		}
		s = b.Reopen(t, s)
		m.check(t, s)
	}
	m.check(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
