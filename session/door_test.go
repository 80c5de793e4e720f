package session

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"deepstream-fast/auth"
	"deepstream-fast/fuzz/peer"
	"deepstream-fast/permission"
	"deepstream-fast/protocol"
	"deepstream-fast/rpc"
)

// ask has the messages carried out for a user and waits for all answers.
func (r *rig) ask(user string, texts ...string) *Request {
	r.t.Helper()
	q := r.request(user, texts...)
	r.begin(q)
	r.await(q)
	return q
}

func (r *rig) request(user string, texts ...string) *Request {
	r.t.Helper()
	q := &Request{User: &permission.User{ID: user}}
	for _, text := range texts {
		m, err := peer.Parse(text)
		if err != nil {
			r.t.Fatal(err)
		}
		q.Messages = append(q.Messages, m)
	}
	return q
}

func (r *rig) begin(q *Request) {
	r.t.Helper()
	if err := r.node.Do(q); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) await(q *Request) {
	r.t.Helper()
	select {
	case <-q.Done():
	case <-time.After(peer.Patience):
		r.t.Fatal("a request is never done")
	}
}

// wantAnswers checks the answers of q by their texts.
func (r *rig) wantAnswers(q *Request, want ...string) {
	r.t.Helper()
	if len(q.Answers) != len(want) {
		r.t.Fatalf("%d answers, want %d", len(q.Answers), len(want))
	}
	for i := range want {
		got := ""
		if q.Answers[i].Topic != 0 {
			got = (&q.Answers[i]).String()
		}
		if want := r.spelled(want[i]); got != want {
			r.t.Errorf("message %d answered %s, want %s", i, got, want)
		}
	}
}

// spelled returns a message's text the way String spells it.
func (r *rig) spelled(text string) string {
	r.t.Helper()
	if text == "" {
		return ""
	}
	m, err := peer.Parse(text)
	if err != nil {
		r.t.Fatal(err)
	}
	return m.String()
}

// Every message is answered as a connection's would be, and seen by the others.
func TestTheDoorAnswersEveryTopic(t *testing.T) {
	onSeveralNodes(t, func(t *testing.T, o rigOptions) {
		o.session.Permission = prefixRules{}
		r := startRig(t, o)
		r.login("alice")
		r.login("bob")
		r.fence()
		r.send("alice", "EVENT SUBSCRIBE names=[e deny-e]", "RECORD SUBSCRIBECREATEANDREAD names=[rec]")
		r.fence()
		q := r.ask("web",
			"EVENT EMIT name=e data=`{\"n\":1}`",
			"EVENT EMIT name=deny-e data=`1`",
			"EVENT EMIT name=fail-e",
			"RECORD CREATEANDUPDATE name=rec version=-1 data=`{\"a\":1}` isWriteAck correlationId=0",
			"RECORD CREATEANDUPDATE name=deny-rec version=-1 data=`{}` isWriteAck correlationId=0",
			"PRESENCE QUERY_ALL",
			"PRESENCE QUERY correlationId=0 names=[alice nobody]",
			"RECORD NOTIFY correlationId=0 names=[]",
			"RECORD DELETE name=none",
		)
		ids := q.Answers[5]
		if ids.Names.Len() != 2 || ids.Action != protocol.PresenceQueryAllResponse {
			t.Errorf("online: %s", (&ids).String())
		}
		q.Answers[5] = protocol.Message{}
		r.wantAnswers(q,
			"EVENT EMIT isAck",
			"EVENT MESSAGE_DENIED name=deny-e isError originalAction=EMIT",
			"EVENT MESSAGE_PERMISSION_ERROR name=fail-e isError originalAction=EMIT",
			"RECORD WRITE_ACKNOWLEDGEMENT name=rec isWriteAck correlationId=0",
			"RECORD MESSAGE_DENIED name=deny-rec isError isWriteAck correlationId=0 originalAction=CREATEANDUPDATE",
			"",
			"PRESENCE QUERY_RESPONSE correlationId=0 data=`{\"alice\":true,\"nobody\":false}`",
			"RECORD NOTIFY isAck correlationId=0",
			"RECORD DELETE_SUCCESS name=none",
		)
		got := strings.Join(r.fence(), "\n")
		for _, want := range []string{"alice <- " + r.spelled("EVENT EMIT name=e data=`{\"n\":1}`"), "alice <- " + r.spelled("RECORD UPDATE name=rec version=1 data=`{\"a\":1}`")} {
			if !strings.Contains(got, want) {
				t.Errorf("others got %s, want %s", got, want)
			}
		}
		r.wantAnswers(r.ask("web", "RECORD READ name=rec", "RECORD HEAD name=rec", "RECORD READ name=missing", "RECORD CREATEANDUPDATE name=rec version=1 data=`{}` isWriteAck correlationId=0"),
			"RECORD READ_RESPONSE name=rec version=1 data=`{\"a\":1}`",
			"RECORD HEAD_RESPONSE name=rec version=1",
			"RECORD RECORD_NOT_FOUND name=missing isError originalAction=READ",
			"RECORD VERSION_EXISTS name=rec version=1 data=`{\"a\":1}` isWriteAck correlationId=0 originalAction=UPDATE")
	})
}

// A call goes to a provider with a connection; its ACCEPT is not the answer.
func TestTheDoorCalls(t *testing.T) {
	onSeveralNodes(t, func(t *testing.T, o rigOptions) {
		r := startRig(t, o)
		r.login("p")
		r.fence()
		r.send("p", "RPC PROVIDE names=[add] correlationId=1")
		r.fence()
		q := r.request("web", "RPC REQUEST name=add correlationId=c data=`[1,2]`", "RPC REQUEST name=none correlationId=c")
		r.begin(q)
		lines, err := r.client("p").Await("RPC REQUEST")
		if err != nil {
			t.Fatal(err)
		}
		m, err := peer.Parse(lines[len(lines)-1])
		if err != nil {
			t.Fatal(err)
		}
		r.send("p", fmt.Sprintf("RPC ACCEPT name=add correlationId=%s", m.CorrelationID))
		r.fence()
		select {
		case <-q.Done():
			t.Fatal("accepted is not done")
		default:
		}
		r.send("p", fmt.Sprintf("RPC RESPONSE name=add correlationId=%s data=`3`", m.CorrelationID))
		r.await(q)
		r.wantAnswers(q, "RPC RESPONSE name=add correlationId=c data=`3`", "RPC NO_RPC_PROVIDER name=none correlationId=c")
	})
}

// A long batch is carried out in order, whole, and beside others.
func TestTheDoorTakesLongBatches(t *testing.T) {
	onSeveralNodes(t, func(t *testing.T, o rigOptions) {
		r := startRig(t, o)
		var writes []string
		for i := range 2000 {
			writes = append(writes, fmt.Sprintf("RECORD CREATEANDUPDATE name=r version=-1 data=`{\"n\":%d}` isWriteAck correlationId=0", i))
		}
		long, others := r.request("web", writes...), []*Request{}
		r.begin(long)
		for range 100 {
			q := r.request("web", "EVENT EMIT name=e")
			r.begin(q)
			others = append(others, q)
		}
		for _, q := range append(others, long) {
			r.await(q)
		}
		for i := range long.Answers {
			if long.Answers[i].Action != protocol.RecordWriteAcknowledgement {
				t.Fatalf("write %d answered %s", i, (&long.Answers[i]).String())
			}
		}
		r.wantAnswers(r.ask("web", "RECORD READ name=r"), "RECORD READ_RESPONSE name=r version=2000 data=`{\"n\":1999}`")
		if n := r.node.Stats().Requests; n != 0 {
			t.Errorf("%d requests left", n)
		}
	})
}

// Whoever gives up has what came until then; what comes later finds nobody.
func TestTheDoorGivesUp(t *testing.T) {
	onSeveralNodes(t, func(t *testing.T, o rigOptions) {
		o.session.Calls = rpc.Options{AckTimeout: time.Minute, ResponseTimeout: time.Minute}
		r := startRig(t, o)
		r.login("p")
		r.fence()
		r.send("p", "RPC PROVIDE names=[slow] correlationId=1")
		r.fence()
		q := r.request("web", "RPC REQUEST name=slow correlationId=c", "EVENT EMIT name=e")
		r.begin(q)
		lines, err := r.client("p").Await("RPC REQUEST")
		if err != nil {
			t.Fatal(err)
		}
		r.settle()
		r.node.GiveUp(q)
		r.node.GiveUp(q)
		r.await(q)
		r.wantAnswers(q, "", "EVENT EMIT isAck")
		m, _ := peer.Parse(lines[len(lines)-1])
		r.send("p", fmt.Sprintf("RPC RESPONSE name=slow correlationId=%s data=`3`", m.CorrelationID))
		r.fence()
	})
}

func TestTheDoorHasLimits(t *testing.T) {
	o := defaults(1)
	o.session.RequestsMax = 2
	o.session.Calls = rpc.Options{AckTimeout: time.Minute, ResponseTimeout: time.Minute}
	r := startRig(t, o)
	r.login("p")
	r.fence()
	r.send("p", "RPC PROVIDE names=[slow] correlationId=1")
	r.fence()
	var waiting []*Request
	for range 2 {
		q := r.request("web", "RPC REQUEST name=slow correlationId=c")
		r.begin(q)
		waiting = append(waiting, q)
	}
	if err := r.node.Do(r.request("web", "EVENT EMIT name=e")); err != ErrRequests {
		t.Errorf("a third request: %v", err)
	}
	for _, q := range waiting {
		r.node.GiveUp(q)
		r.await(q)
	}
	if s := r.node.Stats(); s.Requests != 0 || s.RequestsRefused != 1 {
		t.Errorf("counted %+v", s)
	}

	r.ask("web", "RECORD CREATEANDUPDATE name=big version=-1 isWriteAck correlationId=0 data=`\""+strings.Repeat("x", 1<<20)+"\"`")
	r.ask("web", "RECORD CREATEANDUPDATE name=big version=-1 isWriteAck correlationId=0 data=`[\""+strings.Repeat("x", 1<<20)+"\"]`")
	var reads []string
	for range 1000 {
		reads = append(reads, "RECORD READ name=big")
	}
	q := r.request("web", reads...)
	room := 3 << 20
	q.Take = func(n int) bool { room -= n; return room >= 0 }
	r.begin(q)
	r.await(q)
	kept := 0
	for i := range q.Answers {
		if len(q.Answers[i].Data) > 0 {
			kept++
		} else if q.Answers[i].Action != protocol.ParserMaximumMessageSizeExceeded {
			t.Fatalf("answer %d: %s", i, (&q.Answers[i]).String())
		}
	}
	if kept != 2 {
		t.Errorf("%d answers of 1 MiB kept, want 2", kept)
	}
}

// A topic that is switched off, or a loop that disconnects everybody it owes something, ends a message.
func TestTheDoorTellsTheRest(t *testing.T) {
	o := defaults(1)
	o.session.RPC, o.session.Events = false, false
	r := startRig(t, o)
	r.wantAnswers(r.ask("web", "RPC REQUEST name=x correlationId=c", "EVENT EMIT name=x"), "PARSER UNKNOWN_TOPIC", "PARSER UNKNOWN_TOPIC")
	r.wantAnswers(r.ask("web"))
	if _, ok := UserOf(auth.Result{}); ok {
		t.Error("nobody was let in")
	}
	if u, ok := UserOf(auth.Result{Valid: true}); !ok || u.ID != auth.IDAnonymous {
		t.Errorf("%+v, %v", u, ok)
	}
	if _, ok := UserOf(auth.Result{Valid: true, ID: strings.Repeat("x", userIDBytesMax+1)}); ok {
		t.Error("an id as long as that")
	}
	if err := NewNode(defaults(1).session).Do(r.request("web", "EVENT EMIT name=x")); err != ErrNoLoops {
		t.Errorf("without loops: %v", err)
	}
}

// Rules that read records answer late, which changes nothing: an emit is done when it was let through or
// denied, and the records are read on whatever loop they are at home.
func TestTheDoorWaitsForRules(t *testing.T) {
	onSeveralNodes(t, func(t *testing.T, o rigOptions) {
		o.session.Permission = prefixRules{}
		r := startRig(t, o)
		r.login("alice")
		r.fence()
		r.send("alice", "EVENT SUBSCRIBE names=[plain]")
		r.ask("admin", "RECORD CREATEANDUPDATE name=rights version=-1 data=`{\"ask-yes\":true}` isWriteAck correlationId=0",
			"RECORD CREATEANDUPDATE name=own-free version=-1 data=`{\"n\":1}` isWriteAck correlationId=0",
			"RECORD CREATEANDUPDATE name=own-held version=-1 data=`{\"locked\":1}` isWriteAck correlationId=0")
		r.wantAnswers(r.ask("web",
			"EVENT EMIT name=ask-yes", "EVENT EMIT name=ask-no", "EVENT EMIT name=plain",
			"RECORD READ name=own-free", "RECORD READ name=own-held",
			"RECORD CREATEANDPATCH name=own-free path=n data=`2` version=-1 isWriteAck correlationId=0",
			"RPC REQUEST name=ask-no correlationId=c"),
			"EVENT EMIT isAck", "EVENT MESSAGE_DENIED name=ask-no isError originalAction=EMIT", "EVENT EMIT isAck",
			"RECORD READ_RESPONSE name=own-free version=1 data=`{\"n\":1}`",
			"RECORD MESSAGE_DENIED name=own-held isError originalAction=READ",
			"RECORD WRITE_ACKNOWLEDGEMENT name=own-free isWriteAck correlationId=0",
			"RPC MESSAGE_DENIED name=ask-no isError correlationId=c originalAction=REQUEST")
	})
}

// The rate of one user's messages is nobody else's, although their virtual connections share a slot.
func TestTheDoorHasNoRate(t *testing.T) {
	o := defaults(1)
	o.session.MessageBurst, o.session.MessageInterval = 2, time.Hour
	r := startRig(t, o)
	for range 20 {
		r.wantAnswers(r.ask("web", "EVENT EMIT name=e"), "EVENT EMIT isAck")
	}
}
