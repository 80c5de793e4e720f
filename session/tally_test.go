package session

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"deepstream-fast/engine"
	"deepstream-fast/fuzz/peer"
	"deepstream-fast/protocol"
)

// named returns the places of a table that are not 0, by name.
func named(table *[protocol.Kinds]uint64) map[string]uint64 {
	all := map[string]uint64{}
	for k, n := range table {
		if n > 0 {
			topic, action := protocol.Kind(k).Names()
			all[topic+" "+action] = n
		}
	}
	return all
}

func (r *rig) tally() *Tally {
	r.t.Helper()
	t := r.node.Tally(peer.Patience)
	if len(t.Silent) > 0 {
		r.t.Fatalf("loops %v do not answer", t.Silent)
	}
	return t
}

func wantCounts(t testing.TB, what string, got *[protocol.Kinds]uint64, want map[string]uint64) {
	t.Helper()
	if g := named(got); !maps.Equal(g, want) {
		t.Errorf("%s: got %v, want %v", what, g, want)
	}
}

// A script of which every message is known, on one loop and on several: whoever lives where, and
// wherever a name is judged, the sums are the same.
func TestTallyCountsEveryMessageOnce(t *testing.T) {
	for _, loops := range []int{1, 3} {
		t.Run(fmt.Sprint("loops=", loops), func(t *testing.T) {
			o := defaults(loops)
			o.session.Permission = prefixRules{}
			r := startRig(t, o)
			tallyScript(r)
			s := r.tally()
			tallyTables(t, s)
			tallySizes(t, s)
			if n := r.node.Stats().Logins; n != 3 {
				t.Errorf("%d logins, want 3", n)
			}
			for name := range r.clients {
				r.close(name)
			}
			r.settle()
			end := r.tally()
			if end.Subscriptions != [TallyTopics]int{} || end.Names != [TallyTopics]int{} || end.Users+end.Calls != 0 {
				t.Errorf("after the last connection went: %+v", end.Sizes)
			}
		})
	}
}

func tallyScript(r *rig) {
	for _, name := range []string{"a", "b", "c"} {
		r.connect(name)
		r.login(name)
	}
	r.fence() // who has joined is known before somebody wants to be told
	step := func(name string, texts ...string) {
		r.send(name, texts...)
		r.fence()
	}
	step("a", "EVENT SUBSCRIBE names=[x y deny] correlationId=1", "EVENT SUBSCRIBE names=[deny1 fail2] correlationId=2", "PRESENCE SUBSCRIBE_ALL")
	step("b", "EVENT SUBSCRIBE names=[x] correlationId=1", "RPC PROVIDE names=[add] correlationId=2")
	step("a", "EVENT EMIT name=x data=1", "EVENT EMIT name=nobody data=1", "EVENT EMIT name=deny data=1", "EVENT EMIT name=x data=broken")
	step("c", "EVENT EMIT name=x data=2", "EVENT EMIT name=y data=3", "EVENT 77", "LOCK REQUEST")
	step("c", "RPC REQUEST name=add correlationId=r data=1")
	step("b", "RPC ACCEPT name=add correlationId=r", "RPC RESPONSE name=add correlationId=r data=2")
	for _, name := range []string{"a", "b"} {
		step(name, "RECORD SUBSCRIBECREATEANDREAD names=[rec] correlationId=3")
	}
	step("a", "RECORD CREATEANDUPDATE name=rec data=`{}` version=-1")
}

func tallyTables(t *testing.T, s *Tally) {
	t.Helper()
	wantCounts(t, "received", &s.Received, map[string]uint64{
		"EVENT SUBSCRIBE": 3, "EVENT EMIT": 6, "EVENT undefined": 1, "PRESENCE SUBSCRIBE_ALL": 1,
		"RPC PROVIDE": 1, "RPC REQUEST": 1, "RPC ACCEPT": 1, "RPC RESPONSE": 1,
		"RECORD SUBSCRIBECREATEANDREAD": 2, "RECORD CREATEANDUPDATE": 1,
	})
	wantCounts(t, "refused", &s.Refused, map[string]uint64{"EVENT SUBSCRIBE": 1, "EVENT EMIT": 1})
	wantCounts(t, "denied", &s.Denied, map[string]uint64{"EVENT SUBSCRIBE": 2, "EVENT EMIT": 1})
	wantCounts(t, "failed", &s.Failed, map[string]uint64{"EVENT SUBSCRIBE": 1})
	wantCounts(t, "delivered", &s.Delivered, map[string]uint64{"EVENT EMIT": 4, "RECORD UPDATE": 1})
	sent := named(&s.Sent)
	delete(sent, "CONNECTION PONG") // of fences
	want := map[string]uint64{
		"CONNECTION ACCEPT": 3, "AUTH AUTH_SUCCESSFUL": 3, "PARSER UNKNOWN_ACTION": 1, "PARSER UNKNOWN_TOPIC": 1,
		"EVENT SUBSCRIBE": 2, "EVENT MESSAGE_DENIED": 3, "EVENT MESSAGE_PERMISSION_ERROR": 1, "EVENT INVALID_MESSAGE_DATA": 1,
		"PRESENCE SUBSCRIBE_ALL": 1, "RPC PROVIDE": 1, "RPC REQUEST": 1, "RPC ACCEPT": 1, "RPC RESPONSE": 1,
		"RECORD SUBSCRIBECREATEANDREAD": 2, "RECORD READ_RESPONSE": 2,
	}
	if !maps.Equal(sent, want) {
		t.Errorf("sent: got %v, want %v", sent, want)
	}
}

func tallySizes(t *testing.T, s *Tally) {
	t.Helper()
	if want := [TallyTopics]int{3, 2, 1, 1}; s.Subscriptions != want {
		t.Errorf("subscriptions %v, want %v", s.Subscriptions, want)
	}
	if want := [TallyTopics]int{2, 1, 1, 1}; s.Names != want {
		t.Errorf("names %v, want %v", s.Names, want)
	}
	if s.Users != 3 || s.Calls != 0 || s.CacheRecords != 1 {
		t.Errorf("%+v", s.Sizes)
	}
}

// A long list is worked off in slices, and still counts as one message that was or was not refused.
func TestTallyOfLongLists(t *testing.T) {
	o := defaults(2)
	o.session.Permission = prefixRules{}
	r := startRig(t, o)
	r.connect("a")
	r.login("a")
	list := func(prefix string) string {
		var b strings.Builder
		for i := range 5 * sliceNamesMin {
			fmt.Fprintf(&b, "%s%d ", prefix, i)
		}
		return b.String()
	}
	for _, names := range []string{list("deny"), list("fail"), list("ok"), list("deny") + "ok"} {
		r.send("a", "RECORD SUBSCRIBE names=["+strings.TrimSpace(names)+"] correlationId=1")
		r.fence()
	}
	s := r.tally()
	wantCounts(t, "received", &s.Received, map[string]uint64{"RECORD SUBSCRIBE": 4})
	wantCounts(t, "refused", &s.Refused, map[string]uint64{"RECORD SUBSCRIBE": 2})
	wantCounts(t, "denied", &s.Denied, map[string]uint64{"RECORD SUBSCRIBE": 10 * sliceNamesMin})
}

// Listeners are known to every loop, but count once.
func TestTallyOfListeners(t *testing.T) {
	r := startRig(t, defaults(3))
	for _, name := range []string{"l", "s"} {
		r.connect(name)
		r.login(name)
	}
	r.send("l", "EVENT LISTEN name=^a correlationId=1", "EVENT LISTEN name=^b correlationId=2")
	r.fence()
	r.send("s", "EVENT SUBSCRIBE names=[a1 a2 b1 c1] correlationId=1")
	r.fence()
	r.send("l", "EVENT LISTEN_ACCEPT name=^a subscription=a1", "EVENT LISTEN_ACCEPT name=^a subscription=a2")
	r.fence()
	s := r.tally()
	if s.Patterns != [listenTopics]int{2, 0} || s.Provided != [listenTopics]int{2, 0} {
		t.Errorf("patterns %v, provided %v", s.Patterns, s.Provided)
	}
}

// A loop that hangs is reported, keeps its last numbers, and is asked once, not once per report.
func TestTallyOfASilentLoop(t *testing.T) {
	r := startRig(t, defaults(2))
	r.connect("a")
	r.login("a")
	r.fence()
	before := r.tally()
	hold, held := make(chan struct{}), make(chan struct{})
	letGo := sync.OnceFunc(func() { close(hold) })
	defer letGo() // a failure must not leave the loop waiting
	r.eng.Post(1, engine.Mail{Kind: mailCall, Body: func(*Loop) { close(held); <-hold }})
	<-held
	for range 3 {
		s := r.node.Tally(0)
		if len(s.Silent) == 0 || s.Silent[len(s.Silent)-1] != 1 {
			t.Fatalf("silent %v, want loop 1 among them", s.Silent)
		}
		if got, want := s.Sent[protocol.KindOf(protocol.TopicAuth, protocol.AuthSuccessful)], before.Sent[protocol.KindOf(protocol.TopicAuth, protocol.AuthSuccessful)]; got != want {
			t.Fatalf("%d logins answered, want the %d known before", got, want)
		}
	}
	letGo()
	if s := r.tally(); len(s.Silent) != 0 {
		t.Errorf("silent %v, after it went on", s.Silent)
	}
}

// Those who ask at the same time share the answer, and each gets one.
func TestTallyForMany(t *testing.T) {
	r := startRig(t, defaults(2))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				if s := r.node.Tally(peer.Patience); s == nil || len(s.Silent) > 0 {
					t.Errorf("got %+v", s)
				}
			}
		})
	}
	all.Wait()
}

func TestFanoutBuckets(t *testing.T) {
	for n, want := range map[int]int{1: 0, 2: 1, 4: 1, 5: 2, 16: 2, 17: 3, 1 << 20: 10, 1<<20 + 1: 11, 1 << 40: 11} {
		if got := fanoutBucket(n); got != want {
			t.Errorf("%d recipients are in bucket %d, want %d", n, got, want)
		}
	}
}

func TestTallyAllocatesNothing(t *testing.T) {
	var tl tally
	m := &protocol.Message{Topic: protocol.TopicRPC, Action: protocol.RPCMessageDenied, OriginalAction: protocol.RPCRequest, IsError: true}
	if n := testing.AllocsPerRun(100, func() {
		before := tl.refusals
		tl.sent(m)
		tl.received(m, before)
		tl.delivered(protocol.KindOf(m.Topic, m.Action), 3)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkTally measures what counting adds to a message: an EMIT costs received and delivered, a
// request with an answer received and sent.
func BenchmarkTally(b *testing.B) {
	messages := [4]protocol.Message{
		{Topic: protocol.TopicEvent, Action: protocol.EventEmit},
		{Topic: protocol.TopicRecord, Action: protocol.RecordUpdate},
		{Topic: protocol.TopicRPC, Action: protocol.RPCRequest},
		{Topic: protocol.TopicPresence, Action: protocol.PresenceQuery},
	}
	tl := new(tally)
	for name, count := range map[string]func(m *protocol.Message){
		"none":      func(*protocol.Message) {},
		"received":  func(m *protocol.Message) { tl.received(m, tl.refusals) },
		"sent":      func(m *protocol.Message) { tl.sent(m) },
		"delivered": func(m *protocol.Message) { tl.delivered(protocol.KindOf(m.Topic, m.Action), 10) },
	} {
		b.Run("count="+name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				count(&messages[i&3])
				i++
			}
		})
	}
}

// BenchmarkCensus is one question to two loops and their answers, whatever they hold.
func BenchmarkCensus(b *testing.B) {
	node := NewNode(Options{Loops: 2, Events: true})
	eng, err := engine.Start(engine.Options{Host: "127.0.0.1", Loops: 2, NewHandler: node.NewHandler, WantsTurn: node.WantsTurn})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = eng.Stop(context.Background()) })
	b.ReportAllocs()
	for b.Loop() {
		if s := node.Tally(peer.Patience); len(s.Silent) > 0 {
			b.Fatal("a loop is silent")
		}
	}
}
