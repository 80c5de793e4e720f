package session

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"deepstream-fast/permission"
	"deepstream-fast/protocol"
	"deepstream-fast/store"
	"deepstream-fast/store/memory"
	"deepstream-fast/store/storetest"
)

// noCreation denies the creation of records whose names begin with "no", and reading those that begin
// with "deny".
type noCreation struct{}

func (noCreation) Check(q *permission.Question) permission.Answer {
	name := string(q.Name)
	if strings.HasPrefix(name, "deny") || q.Action == protocol.RecordCreate && strings.HasPrefix(name, "no") {
		return permission.Deny
	}
	return permission.Allow
}

// wantReceived checks what came and what of it was refused as a whole.
func (r *rig) wantReceived(received, refused map[string]uint64) {
	r.t.Helper()
	s := r.tally()
	wantCounts(r.t, "received", &s.Received, received)
	wantCounts(r.t, "refused", &s.Refused, refused)
}

// A message whose permission waited is counted when it is carried out, as one that was or was not refused.
func TestRefusalsAfterWaiting(t *testing.T) {
	for _, loops := range []int{1, 3} {
		t.Run(fmt.Sprint("loops=", loops), func(t *testing.T) {
			r, open := startHeld(t, loops, nil, store.Write{Name: []byte("rights"), Version: 1, Data: []byte(`{"ask1":true}`)})
			r.login("a")
			r.arrived("a")
			r.send("a",
				"EVENT SUBSCRIBE names=[ask2 ask3] correlationId=1", "EVENT SUBSCRIBE names=[ask1 ask2] correlationId=2",
				"EVENT EMIT name=ask2", "EVENT EMIT name=ask1", "EVENT EMIT name=deny", "RPC PROVIDE names=[ask2] correlationId=3",
				"RECORD CREATEANDUPDATE name=ask2 version=-1 data={}", "RECORD CREATEANDUPDATE name=ask1 version=-1 data={}",
				"RECORD SUBSCRIBECREATEANDREAD names=[ask2 deny] correlationId=4")
			r.arrived("a")
			if s := r.tally(); s.Waiting != 1 || s.Deciding == 0 || s.WaitingBytes == 0 || s.GateOverflows != 0 {
				t.Errorf("while it waits: %+v", s.Sizes)
			}
			r.wantReceived(nil, nil)
			close(open)
			r.fence()
			r.wantReceived(
				map[string]uint64{"EVENT SUBSCRIBE": 2, "EVENT EMIT": 3, "RPC PROVIDE": 1, "RECORD CREATEANDUPDATE": 2, "RECORD SUBSCRIBECREATEANDREAD": 1},
				map[string]uint64{"EVENT SUBSCRIBE": 1, "EVENT EMIT": 2, "RPC PROVIDE": 1, "RECORD CREATEANDUPDATE": 1, "RECORD SUBSCRIBECREATEANDREAD": 1})
			if s := r.tally(); s.Waiting+s.Deciding+s.WaitingBytes != 0 {
				t.Errorf("afterwards: %+v", s.Sizes)
			}
		})
	}
}

// What takes effect although its connection is gone has been received, refused or not.
func TestRefusalsOfAConnectionThatIsGone(t *testing.T) {
	r, open := startHeld(t, 3, nil, store.Write{Name: []byte("rights"), Version: 1, Data: []byte(`{"ask1":true}`)})
	r.login("a")
	r.arrived("a")
	r.send("a", "EVENT EMIT name=ask1", "EVENT EMIT name=ask2", "EVENT EMIT name=e", "EVENT EMIT name=deny",
		"RECORD CREATEANDUPDATE name=ask2 version=-1 data={}", "RECORD DELETE name=ask1",
		"EVENT SUBSCRIBE names=[ask2]") // is of no use to anybody any more
	r.arrived("a")
	r.abort("a")
	close(open)
	r.fence()
	r.wantReceived(
		map[string]uint64{"EVENT EMIT": 4, "RECORD CREATEANDUPDATE": 1, "RECORD DELETE": 1},
		map[string]uint64{"EVENT EMIT": 2, "RECORD CREATEANDUPDATE": 1})
}

// A home that asks a rule once more, or finds that there is no record yet, refuses what its sender's loop
// has let pass.
func TestRefusalsByHomes(t *testing.T) {
	t.Run("judge", func(t *testing.T) {
		for _, loops := range []int{1, 3} {
			r, open := startHeld(t, loops, nil, store.Write{Name: []byte("own/1"), Version: 1, Data: []byte(`{}`)})
			for _, name := range []string{"a", "admin"} {
				r.login(name)
				r.arrived(name)
			}
			r.send("a", "RECORD UPDATE name=own/1 version=-1 data={}", "RECORD DELETE name=own/1")
			r.arrived("a")
			r.send("admin", `RECORD CREATEANDUPDATE name=own/1 version=-1 data={"locked":true}`)
			r.arrived("admin")
			r.settleMail()
			close(open)
			r.fence()
			r.wantReceived(map[string]uint64{"RECORD UPDATE": 1, "RECORD DELETE": 1, "RECORD CREATEANDUPDATE": 1},
				map[string]uint64{"RECORD UPDATE": 1, "RECORD DELETE": 1})
		}
	})
	for _, loops := range []int{1, 3} {
		for _, list := range []struct {
			names   string
			refused uint64
		}{
			{"no1", 1}, {"no1 no2 no3 no4 no5", 1}, {"no1 deny1", 1}, {"deny1 no1", 1}, {"no1 yes", 0}, {"no1 old", 0}, {"nought", 0},
			{someNames("no", 5*sliceNamesMin), 1}, {someNames("no", 5*sliceNamesMin) + " deny", 1}, {someNames("no", 5*sliceNamesMin) + " yes", 0},
			{"yes " + someNames("no", 5*sliceNamesMin), 0}, {someNames("deny", 5*sliceNamesMin) + " no", 1},
		} {
			t.Run(fmt.Sprintf("loops=%d/%.20s", loops, list.names), func(t *testing.T) {
				o := defaults(loops)
				kept := memory.New(memory.Options{})
				storetest.Put(t, kept, store.Write{Name: []byte("nought"), Version: 1, Data: []byte(`{}`)}, store.Write{Name: []byte("old"), Version: 1, Data: []byte(`{}`)})
				o.session.Store, o.session.Permission = kept, noCreation{}
				r := startRig(t, o)
				r.login("a")
				r.fence()
				r.send("a", "RECORD SUBSCRIBECREATEANDREAD names=["+list.names+"] correlationId=1", "RECORD CREATEANDUPDATE name=no1 version=-1 data={}",
					"RECORD CREATEANDUPDATE name=yes version=-1 data={}")
				r.fence()
				refused := map[string]uint64{"RECORD CREATEANDUPDATE": 1}
				if list.refused > 0 {
					refused["RECORD SUBSCRIBECREATEANDREAD"] = list.refused
				}
				r.wantReceived(map[string]uint64{"RECORD SUBSCRIBECREATEANDREAD": 1, "RECORD CREATEANDUPDATE": 2}, refused)
			})
		}
	}
}

// A message that is held, for whatever reason, is counted once, and pays for its rate once.
func TestHeldMessagesCountOnce(t *testing.T) {
	const held = 20
	for name, first := range map[string]string{
		"behind a permission": "RECORD READ name=ask",
		"behind a long list":  "RECORD SUBSCRIBE names=[" + someNames("x", 3*sliceNamesMin) + "]",
	} {
		t.Run(name, func(t *testing.T) {
			o := defaults(1)
			open := make(chan struct{})
			o.session.Store, o.session.Permission = &heldStore{memory.New(memory.Options{}), open}, prefixRules{}
			o.session.MessageInterval, o.session.MessageBurst = time.Hour, held+1
			r := startRig(t, o)
			r.login("a")
			r.arrived("a")
			texts := []string{first}
			for range held {
				texts = append(texts, "RECORD HEAD name=y")
			}
			r.send("a", texts...)
			r.arrived("a")
			close(open)
			r.fence()
			s := r.tally()
			if n := named(&s.Received)["RECORD HEAD"]; n != held || r.node.Stats().MessagesLimited != 0 {
				t.Errorf("%d received, %d over the rate, want %d and none", n, r.node.Stats().MessagesLimited, held)
			}
		})
	}
}

// What comes in by the door counts as what a connection sends, and nothing beside it.
func TestTallyOfTheDoor(t *testing.T) {
	for _, loops := range []int{1, 3} {
		o := defaults(loops)
		o.session.Permission = prefixRules{}
		r := startRig(t, o)
		r.login("admin")
		r.fence()
		r.send("admin", `RECORD CREATEANDUPDATE name=rights version=-1 data={"ask1":true}`)
		r.fence()
		before := r.tally()
		r.wantAnswers(r.ask("web", "EVENT EMIT name=e", "EVENT EMIT name=ask1", "EVENT EMIT name=ask2", "EVENT EMIT name=deny"),
			"EVENT EMIT isAck", "EVENT EMIT isAck",
			"EVENT MESSAGE_DENIED name=ask2 isError originalAction=EMIT", "EVENT MESSAGE_DENIED name=deny isError originalAction=EMIT")
		after := r.tally()
		for k := range after.Received {
			after.Received[k] -= before.Received[k]
			after.Sent[k] -= before.Sent[k]
		}
		wantCounts(t, "received", &after.Received, map[string]uint64{"EVENT EMIT": 4})
		wantCounts(t, "refused", &after.Refused, map[string]uint64{"EVENT EMIT": 2})
		wantCounts(t, "sent", &after.Sent, map[string]uint64{"EVENT MESSAGE_DENIED": 2})
	}
}
