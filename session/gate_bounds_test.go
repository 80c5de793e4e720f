package session

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"deepstream-fast/store"
)

// rights is the record that allows the names given.
func rights(names ...string) store.Write {
	for i, name := range names {
		names[i] = fmt.Sprintf("%q:true", name)
	}
	return store.Write{Name: []byte("rights"), Version: 1, Data: []byte("{" + strings.Join(names, ",") + "}")}
}

// allocated returns the bytes that f makes the process allocate.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// What waits behind a message is handed on as it is, not copied for each that waits in its turn.
func TestWhatWaitsIsNotCopiedAgainAndAgain(t *testing.T) {
	const count = 6000
	r, open := startHeld(t, 1, nil, rights("ask"))
	r.login("a")
	r.arrived("a")
	batch := slices.Repeat([]string{"RECORD CREATEANDUPDATE name=ask version=-1 data={}"}, 500)
	for range count / len(batch) {
		r.send("a", batch...)
	}
	r.arrived("a")
	bytes := allocated(func() {
		close(open)
		r.settle()
	})
	if most := uint64(count * 16 << 10); bytes > most { // copies would be count/2 slice headers, 72 kB, per message
		t.Errorf("%d messages took %d bytes, want at most %d", count, bytes, most)
	}
	r.send("a", "RECORD HEAD name=ask")
	r.want(fmt.Sprintf(`a <- RECORD HEAD_RESPONSE name="ask" version=%d`, count))
}

// The same for requests behind a long list of names.
func TestWhatWaitsForAListIsNotCopiedAgainAndAgain(t *testing.T) {
	const count = 6000
	o := defaults(1)
	r := startRig(t, o)
	r.login("a")
	r.arrived("a")
	names := someNames("n", sliceNamesMin+1)
	batch := slices.Repeat([]string{"RECORD SUBSCRIBE correlationId=1 names=[" + names + "]"}, 500)
	bytes := allocated(func() {
		for range count / len(batch) {
			r.send("a", batch...)
		}
		r.settle()
	})
	if most := uint64(count * 16 << 10); bytes > most {
		t.Errorf("%d messages took %d bytes, want at most %d", count, bytes, most)
	}
}

// However many messages wait, they take effect in order, and with what comes while they do.
func TestManyThatWaitKeepTheirOrder(t *testing.T) {
	const count = 5 * heldPerTurn
	for _, loops := range []int{1, 3} {
		r, open := startHeld(t, loops, nil, rights("ask"))
		r.login("a")
		r.login("b")
		r.arrived("a")
		r.send("b", "EVENT SUBSCRIBE names=[e]")
		r.arrived("b")
		r.send("a", "EVENT EMIT name=ask")
		emits := make([]string, count)
		for i := range emits {
			emits[i] = fmt.Sprintf("EVENT EMIT name=e data=%d", i)
		}
		r.send("a", emits[:count/2]...)
		r.arrived("a")
		close(open)
		r.send("a", emits[count/2:]...)
		got := r.fence()
		got = slices.DeleteFunc(got, func(line string) bool { return !strings.Contains(line, `EMIT name="e"`) })
		if len(got) != count {
			t.Fatalf("%d events, want %d", len(got), count)
		}
		for i, line := range got {
			if want := fmt.Sprintf(`b <- EVENT EMIT name="e" data="%d"`, i); line != want {
				t.Fatalf("event %d: %s, want %s", i, line, want)
			}
		}
		r.stop()
	}
}

// A connection that sends on and on behind a message that waits does not take the room of the others.
func TestOneConnectionLeavesRoomForOthers(t *testing.T) {
	r, open := startHeld(t, 1, func(n *Node) { n.waitBytesMax = 4000 }, rights("ask/1"))
	for _, name := range []string{"greedy", "b"} {
		r.login(name)
		r.arrived(name)
	}
	r.send("greedy", "EVENT SUBSCRIBE names=[ask/1]")
	r.send("greedy", "EVENT EMIT name=x data=`\""+strings.Repeat("x", 3750)+"\"`") // all the room but some bytes
	r.arrived("greedy")
	r.send("b", "EVENT SUBSCRIBE correlationId=1 names=[ask/1]")
	r.arrived("b")
	close(open)
	got := slices.DeleteFunc(r.fence(), func(line string) bool { return !strings.HasPrefix(line, "b ") })
	if !slices.Equal(got, []string{`b <- EVENT SUBSCRIBE isAck correlationId="1"`}) {
		t.Errorf("got %q", got)
	}
}

// A message counts once for the rate of its connection, though it waits for another one, and that for a
// list of names.
func TestWhatWaitsCountsOnceForTheRate(t *testing.T) {
	const burst = 20
	r, open := startHeld(t, 1, func(n *Node) { n.opts.MessageBurst, n.opts.MessageInterval = burst, time.Hour }, rights("ask/1"))
	r.login("a")
	r.arrived("a")
	r.send("a", "EVENT SUBSCRIBE correlationId=0 names=[ask/1]", "RECORD SUBSCRIBE names=["+someNames("n", sliceNamesMin+1)+"]")
	for range burst - 2 {
		r.send("a", "RECORD HEAD name=x")
	}
	r.arrived("a")
	close(open)
	for _, line := range r.fence() {
		if strings.Contains(line, "MESSAGE_DENIED") {
			t.Errorf("within the rate: %s", line)
		}
	}
}

// Records that are read for rules take no more memory than there is for them; who finds no room is refused.
func TestRecordsOfRulesAreBounded(t *testing.T) {
	for _, loops := range []int{1, 3} {
		r, open := startHeld(t, loops, func(n *Node) { n.lookBytesMax = 20 }, rights("ask/1"),
			store.Write{Name: []byte("own/1"), Version: 1, Data: []byte(`{"n":1}`)})
		close(open)
		r.login("a")
		r.arrived("a")
		r.send("a", "EVENT SUBSCRIBE correlationId=1 names=[ask/1]", // whose record is within the bound
			"EVENT SUBSCRIBE correlationId=2 names=[own/1]")
		r.want(`a <- EVENT SUBSCRIBE isAck correlationId="1"`, `a <- EVENT SUBSCRIBE isAck correlationId="2"`)
		r.send("a", "RECORD CREATEANDUPDATE name=own/1 version=-1 data={\"text\":\"0123456789\"}")
		r.fence()
		r.send("a", "RECORD DELETE name=own/1", "EVENT SUBSCRIBE correlationId=3 names=[own/2]")
		r.want(`a <- RECORD MESSAGE_PERMISSION_ERROR isError name="own/1" originalAction=DELETE`,
			`a <- EVENT SUBSCRIBE isAck correlationId="3"`)
		r.stop()
		if n := r.node.looked.Load(); n != 0 {
			t.Errorf("%d bytes are counted for ever", n)
		}
	}
}

// What waits for a long list was sent before what waits for permission behind it, and takes effect before.
func TestWaitsOfBothKindsKeepTheOrder(t *testing.T) {
	for _, loops := range []int{1, 3} {
		r, open := startHeld(t, loops, nil, rights("ask/1"))
		r.login("a")
		r.arrived("a")
		r.send("a", "RECORD SUBSCRIBE correlationId=1 names=["+someNames("n", 10*sliceNamesMin)+"]",
			`RECORD CREATEANDUPDATE name=x version=-1 data={"n":1}`, "EVENT SUBSCRIBE correlationId=2 names=[ask/1]",
			`RECORD CREATEANDUPDATE name=x version=-1 data={"n":2}`)
		r.arrived("a")
		r.settleMail() // the list is done now, the permission not
		close(open)
		r.fence()
		r.send("a", "RECORD READ name=x")
		r.want(`a <- RECORD READ_RESPONSE name="x" version=2 data="{\"n\":2}"`)
		r.stop()
	}
}
