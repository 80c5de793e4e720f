package session

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"deepstream-fast/codec"
	"deepstream-fast/engine"
	"deepstream-fast/fuzz/peer"
	"deepstream-fast/protocol"
)

// manyNames is enough for several turns of every home.
const manyNames = 20 * reportsPerTurn

// startBulkRig returns a node that takes a message of manyNames.
func startBulkRig(t *testing.T, loops int) *rig {
	o := defaults(loops)
	o.engine.BulkBytesMax, o.engine.OutboundBytesMax = 16<<20, 64<<20
	return startRig(t, o)
}

// nameMany sends one message about the names prefix0 to prefix(manyNames-1), and others in the same
// write.
func (r *rig) nameMany(client string, m protocol.Message, prefix string, then ...string) {
	r.t.Helper()
	names := make([][]byte, manyNames)
	for i := range names {
		names[i] = fmt.Appendf(nil, "%s%d", prefix, i)
	}
	m.CorrelationID, m.Names = []byte("many"), protocol.ListNames(names)
	b := peer.AppendFrame(nil, 2, codec.Append(nil, &m))
	for _, text := range then {
		next, err := peer.Parse(text)
		if err != nil {
			r.t.Fatal(err)
		}
		b = peer.AppendMessage(b, &next)
	}
	r.client(client).Write(b)
}

// finish waits until no loop has anything left to do, and returns what clients received.
func (r *rig) finish() []string {
	r.t.Helper()
	lines := r.fence()
	deadline := time.Now().Add(peer.Patience)
	unfinished := func(h Holdings) bool { return h.Unfinished > 0 }
	for slices.ContainsFunc(r.holdings(), unfinished) {
		if time.Now().After(deadline) {
			r.t.Fatalf("never finished: %+v", r.holdings())
		}
	}
	return append(lines, r.fence()...)
}

// count returns how many lines contain text.
func count(lines []string, text string) (n int) {
	for _, line := range lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

var (
	provideMany     = protocol.Message{Topic: protocol.TopicRPC, Action: protocol.RPCProvide}
	unprovideMany   = protocol.Message{Topic: protocol.TopicRPC, Action: protocol.RPCUnprovide}
	subscribeMany   = protocol.Message{Topic: protocol.TopicEvent, Action: protocol.EventSubscribe}
	unsubscribeMany = protocol.Message{Topic: protocol.TopicEvent, Action: protocol.EventUnsubscribe}
)

// What a connection says after a PROVIDE finds it carried out, however many names it has.
func TestCallsComeAfterManyProvisions(t *testing.T) {
	for _, loops := range []int{1, 2, 8} {
		r := startBulkRig(t, loops)
		if loops == 2 { // no room for more than a packet
			for i := range loops {
				r.eng.Post(i, engine.Mail{Kind: mailCall, Body: func(l *Loop) { l.incoming.max = packetBytesMax }})
			}
		}
		r.login("p")
		r.fence()
		var calls []string
		for i := range 50 {
			calls = append(calls, fmt.Sprintf("RPC REQUEST name=f%d correlationId=c%d", manyNames-1-i*i, i))
		}
		r.nameMany("p", provideMany, "f", calls...)
		if got := r.finish(); count(got, "p <- RPC REQUEST ") != len(calls) || count(got, "NO_RPC_PROVIDER") != 0 {
			t.Fatalf("%d loops: got %q", loops, got)
		}
		r.nameMany("p", unprovideMany, "f", calls...)
		if got := r.finish(); count(got, "p <- RPC REQUEST ") != 0 || count(got, "NO_RPC_PROVIDER") != len(calls) {
			t.Fatalf("%d loops: got %q", loops, got)
		}
		r.nameMany("p", provideMany, "f")
		r.abort("p") // perhaps before any home has learned all of it: nothing may be left
		r.finish()
	}
}

// Everybody who listens is asked for every name once, and told of every end once, in order.
func TestListeningToManyNames(t *testing.T) {
	for _, loops := range []int{1, 2, 8} {
		r := startBulkRig(t, loops)
		r.login("l")
		r.login("s")
		r.fence()
		r.send("l", "EVENT LISTEN name=^n")
		r.fence()
		r.nameMany("s", subscribeMany, "n")
		got := r.finish()
		if asked := count(got, "SUBSCRIPTION_FOR_PATTERN_FOUND"); asked != manyNames {
			t.Fatalf("%d loops: asked for %d of %d names", loops, asked, manyNames)
		}
		accepted := r.holdings()
		r.send("l", `EVENT LISTEN_ACCEPT name=^n subscription=n7`)
		r.fence()
		r.nameMany("s", unsubscribeMany, "n", "EVENT SUBSCRIBE names=[n7]")
		got = r.finish()
		if count(got, `SUBSCRIPTION_FOR_PATTERN_REMOVED name="^n" subscription="n7"`) != 1 || count(got, `SUBSCRIPTION_FOR_PATTERN_FOUND name="^n" subscription="n7"`) != 1 {
			t.Fatalf("%d loops, %+v: got %d lines about the end of one provision", loops, accepted, len(got))
		}
		if names := sumOf(r.holdings(), func(h Holdings) int { return h.Names }); names != 1 {
			t.Fatalf("%d loops: %d names are kept for one subscription", loops, names)
		}
	}
}

func sumOf(all []Holdings, f func(Holdings) int) (sum int) {
	for _, h := range all {
		sum += f(h)
	}
	return sum
}

// A subscriber that is too slow for events still hears who left.
func TestPresenceIsNeverDropped(t *testing.T) {
	o := defaults(2)
	o.engine.SlowPolicy = engine.SlowDropOldest
	r := startRig(t, o)
	for _, name := range []string{"slow", "publisher", "leaver"} {
		r.login(name)
	}
	r.fence()
	r.send("slow", "PRESENCE SUBSCRIBE_ALL", "EVENT SUBSCRIBE names=[e]")
	r.fence()
	event := `EVENT EMIT name=e data="\"` + strings.Repeat("x", 100<<10) + `\""`
	flood := func() {
		before := r.eng.Stats().DroppedFrames
		for range 1000 {
			if r.eng.Stats().DroppedFrames > before+100 {
				return
			}
			r.send("publisher", event)
			if _, err := r.client("publisher").Fence(); err != nil {
				t.Fatal(err)
			}
		}
		t.Fatal("nothing was dropped")
	}
	flood()
	r.close("leaver")
	r.settle()
	flood()
	lines := r.fence()
	if got := count(lines, `slow <- PRESENCE PRESENCE_LEAVE_ALL name="leaver"`); got != 1 {
		t.Errorf("heard %d times of who left, among %d messages", got, len(lines))
	}
}
