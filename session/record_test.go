package session

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"deepstream-fast/fuzz/peer"
	"deepstream-fast/store"
	"deepstream-fast/store/memory"
)

// someNames returns "prefix0 prefix1 …".
func someNames(prefix string, count int) string {
	names := make([]string, count)
	for i := range names {
		names[i] = fmt.Sprint(prefix, i)
	}
	return strings.Join(names, " ")
}

// onSeveralNodes runs a test with one loop and with several, with and without a store.
func onSeveralNodes(t *testing.T, test func(t *testing.T, o rigOptions)) {
	for _, loops := range []int{1, 3} {
		for _, kept := range []bool{false, true} {
			t.Run(fmt.Sprintf("loops=%d/store=%v", loops, kept), func(t *testing.T) {
				o := defaults(loops)
				if kept {
					o.session.Store = memory.New(memory.Options{})
				}
				test(t, o)
			})
		}
	}
}

// Every name of a long list is answered once, behind the ack, and what comes later waits for it.
func TestALongListKeepsTheOrder(t *testing.T) {
	const count = 5000
	onSeveralNodes(t, func(t *testing.T, o rigOptions) {
		r := startRig(t, o)
		r.login("a")
		r.fence()
		names := someNames("n", count)
		for _, action := range []string{"SUBSCRIBECREATEANDREAD", "SUBSCRIBEANDREAD"} {
			r.send("a", fmt.Sprintf("RECORD %s correlationId=1 names=[%s]", action, names), "RECORD HEAD name=n4999", "RECORD HEAD name=n7", "RECORD READ name=none")
			answered := map[string]int{}
			for i, line := range r.fence() {
				m, err := peer.Parse(strings.TrimPrefix(line, "a <- "))
				switch {
				case err != nil:
					t.Fatal(err)
				case i == 0 && !strings.HasPrefix(line, "a <- RECORD "+action+" isAck"):
					t.Fatalf("first came %.100s", line)
				case strings.Contains(line, "HEAD_RESPONSE") && answered[string(m.Name)] != 1:
					t.Fatalf("message %d: %s overtook the list", i, line)
				case strings.Contains(line, "READ_RESPONSE"):
					answered[string(m.Name)]++
				}
			}
			for i := range count {
				if n := answered[fmt.Sprint("n", i)]; n != 1 {
					t.Fatalf("n%d was answered %d times", i, n)
				}
			}
		}
	})
}

// A list whose answers are larger than any backlog does not cost its reader the connection, nor the
// server the memory.
func TestALongListWaitsForItsReader(t *testing.T) {
	const count, size = 600, 100 << 10
	onSeveralNodes(t, func(t *testing.T, o rigOptions) {
		o.engine.OutboundBytesMax, o.engine.ReplyBytesMax = 1<<20, 4<<20
		r := startRig(t, o)
		r.login("w")
		r.login("a")
		r.fence()
		doc := `"` + strings.Repeat("x", size) + `"`
		for i := range count {
			r.send("w", fmt.Sprintf("RECORD CREATEANDUPDATE name=big%d version=-1 data=`[%s]`", i, doc))
		}
		r.fence()
		r.send("a", fmt.Sprintf("RECORD SUBSCRIBECREATEANDREAD names=[%s]", someNames("big", count)))
		for blocked := uint64(0); blocked == 0; blocked = r.eng.Stats().BlockedEver {
			r.holdings()
		}
		lines := 0
		for lines <= count {
			got, err := r.client("a").Await("RECORD")
			if err != nil || r.client("a").Closed() {
				t.Fatalf("after %d messages: %.100q, %v", lines, got, err)
			}
			lines += len(got)
		}
		if s := r.eng.Stats(); s.SlowClosed != 0 {
			t.Errorf("%d were cut off", s.SlowClosed)
		}
	})
}

// What a connection wrote before it went takes effect, even if it waited behind a list.
func TestWritesBehindALongListSurviveTheirConnection(t *testing.T) {
	onSeveralNodes(t, func(t *testing.T, o rigOptions) {
		r := startRig(t, o)
		r.login("b")
		for i := range 4 {
			r.login("a")
			r.fence()
			r.send("a", fmt.Sprintf("RECORD SUBSCRIBECREATEANDREAD names=[%s]", someNames("n", 3000)),
				fmt.Sprintf("RECORD CREATEANDUPDATE name=w%d version=-1 data={}", i), "RECORD DELETE name=n3")
			r.close("a")
			r.fence()
			r.send("b", fmt.Sprintf("RECORD HEAD name=w%d", i), "RECORD HEAD name=n3")
			want := []string{`b <- RECORD HEAD_RESPONSE name="n3" version=-1`, fmt.Sprintf(`b <- RECORD HEAD_RESPONSE name="w%d" version=1`, i)}
			got := r.fence()
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Fatalf("got %q", got)
			}
		}
	})
}

// Of all that is said to a client about a record in the middle of deletions, the last tells whether it
// is subscribed: a snapshot or a version, or that the record is gone.
func TestWhoIsToldASnapshotIsSubscribed(t *testing.T) {
	const clients, names, rounds = 5, 4, 60
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 2))
	o := defaults(8)
	o.session.Store = memory.New(memory.Options{})
	r := startRig(t, o)
	for c := range clients {
		r.login(fmt.Sprint("c", c))
	}
	r.login("w")
	r.fence()
	for range rounds {
		for c := range clients {
			var texts []string
			for range 1 + rnd.IntN(6) {
				name := fmt.Sprint("n", rnd.IntN(names))
				texts = append(texts, []string{
					"RECORD DELETE name=" + name,
					"RECORD SUBSCRIBECREATEANDREAD correlationId=1 names=[" + name + "]",
					"RECORD SUBSCRIBEANDREAD correlationId=1 names=[" + someNames("n", names) + "]",
				}[rnd.IntN(3)])
			}
			r.send(fmt.Sprint("c", c), texts...)
		}
		subscribed := map[string]bool{}
		for _, line := range r.fence() {
			client, text, _ := strings.Cut(line, " <- ")
			m, err := peer.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			key := client + " " + string(m.Name)
			switch {
			case strings.HasPrefix(text, "RECORD READ_RESPONSE"):
				subscribed[key] = true
			case strings.HasPrefix(text, "RECORD DELETE"): // DELETED or DELETE_SUCCESS
				subscribed[key] = false
			}
		}
		for n := range names {
			r.send("w", fmt.Sprintf("RECORD CREATEANDUPDATE name=n%d version=-1 data={}", n))
		}
		heard := map[string]int{}
		for _, line := range r.fence() {
			client, text, _ := strings.Cut(line, " <- ")
			m, err := peer.Parse(text)
			if err != nil || !strings.HasPrefix(text, "RECORD UPDATE") {
				t.Fatalf("%s, %v", line, err)
			}
			heard[client+" "+string(m.Name)]++
		}
		for key, on := range subscribed {
			if want := map[bool]int{true: 1}[on]; heard[key] != want {
				t.Fatalf("%s heard of %d updates, want %d", key, heard[key], want)
			}
		}
	}
}

// Mail that a loop is too far behind to take is left out, and those who miss it are disconnected.
func TestAnOverrunDisconnects(t *testing.T) {
	const count = 40
	o := defaults(8)
	o.node = func(n *Node) { n.inflowBytesMax = 32 << 10 }
	r := startRig(t, o)
	for _, name := range []string{"a", "b", "w"} {
		r.login(name)
	}
	r.fence()
	for i := range count {
		r.send("a", fmt.Sprintf("RECORD SUBSCRIBECREATEANDREAD names=[n%d]", i))
		r.fence()
	}
	r.send("b", "RECORD SUBSCRIBECREATEANDREAD names=[other]")
	r.fence()
	for i := range count {
		r.send("w", fmt.Sprintf("RECORD UPDATE name=n%d version=1 data=`[%s1]`", i, strings.Repeat("0,", 20<<10)))
	}
	lines, err := r.client("a").AwaitClose()
	if err != nil || !strings.HasPrefix(lines[len(lines)-1], "closed 1011") {
		t.Fatalf("%.200q, %v", lines, err)
	}
	r.fence()
	if r.client("b").Closed() || r.node.Stats().Overruns == 0 {
		t.Errorf("b closed: %v, %d left out", r.client("b").Closed(), r.node.Stats().Overruns)
	}
}

// faultyStore refuses or fails writes while it is told to.
type faultyStore struct {
	store.Store
	refuses, fails atomic.Bool
}

var errDisk = errors.New("disk full")

func (s *faultyStore) Submit(writes []store.Write, done func([]store.Outcome)) error {
	if s.refuses.Load() {
		return store.ErrReadOnly
	}
	if s.fails.Load() {
		return s.Store.Submit(nil, func([]store.Outcome) {
			outcomes := make([]store.Outcome, len(writes))
			for i := range outcomes {
				outcomes[i] = store.Outcome{Token: writes[i].Token, Err: errDisk}
			}
			done(outcomes)
		})
	}
	return s.Store.Submit(writes, done)
}

// A store that takes nothing is told to whoever writes; reads go on, and so do writes once it is back.
// Nothing that was written meanwhile is lost.
func TestAFailingStore(t *testing.T) {
	s := &faultyStore{Store: memory.New(memory.Options{})}
	o := defaults(2)
	o.session.Store, o.session.Record.SaveRetry = s, 20*time.Millisecond
	r := startRig(t, o)
	r.login("a")
	r.fence()
	await := func(request, answer string) {
		t.Helper()
		r.send("a", request)
		got, err := r.client("a").Await("RECORD")
		if err != nil || got[len(got)-1] != "RECORD "+answer {
			t.Fatalf("%s: got %q, %v, want %s", request, got, err, answer)
		}
	}
	failed := `RECORD_UPDATE_ERROR isError isWriteAck name="x" correlationId="1"`
	await("RECORD CREATEANDUPDATE name=x version=-1 data={} isWriteAck correlationId=1", `WRITE_ACKNOWLEDGEMENT isWriteAck name="x" correlationId="1"`)
	s.fails.Store(true)
	await("RECORD UPDATE name=x version=2 data=`[2]` isWriteAck correlationId=1", failed)
	await("RECORD READ name=x", `READ_RESPONSE name="x" version=2 data="[2]"`) // not rolled back
	s.refuses.Store(true)
	await("RECORD UPDATE name=x version=3 data=`[3]` isWriteAck correlationId=1", failed)
	await("RECORD UPDATE name=x version=4 data=`[4]`", `RECORD_UPDATE_ERROR isError name="x"`) // known to take nothing
	await("RECORD READ name=x", `READ_RESPONSE name="x" version=3 data="[3]"`)
	s.refuses.Store(false)
	s.fails.Store(false)
	r.settle() // the retry has succeeded
	got := make(chan store.Record, 1)
	if err := s.Get([]byte("x"), func(rec store.Record, _ error) { got <- rec }); err != nil {
		t.Fatal(err)
	}
	if rec := <-got; rec.Version != 3 || string(rec.Data) != "[3]" {
		t.Errorf("the store has %+v", rec)
	}
	await("RECORD UPDATE name=x version=4 data={} isWriteAck correlationId=1", `WRITE_ACKNOWLEDGEMENT isWriteAck name="x" correlationId="1"`)
}

// What was collected when the engine stops reaches the store by Flush.
func TestFlushSavesWhatWasCollected(t *testing.T) {
	s := memory.New(memory.Options{})
	o := defaults(1)
	o.session.Store = s
	r := startRig(t, o)
	r.login("a")
	r.fence()
	r.send("a", "RECORD CREATEANDUPDATE name=x version=-1 data={}")
	r.stop()
	if got := s.Stats().Writes; got != 1 {
		t.Errorf("%d writes reached the store", got)
	}
}

func TestAtLeast(t *testing.T) {
	for version, want := range map[string]bool{
		"7.1.0": true, "7.1.1": true, "7.10.0": true, "8.0.0": true, "10.0": true, "7.1.0-beta": true, "7.2": true,
		"7.0.9": false, "6.9.9": false, "7.1": false, "7": false, "": false, "v7.1.0": false, "7.x.0": false, "-8.1.0": false,
	} {
		if got := atLeast(version, [...]int{7, 1, 0}); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}
