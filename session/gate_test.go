package session

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"deepstream-fast/permission"
	"deepstream-fast/permission/valve"
	"deepstream-fast/protocol"
	"deepstream-fast/store"
	"deepstream-fast/store/memory"
	"deepstream-fast/store/storetest"
)

// startHeld starts a node whose store has records and answers nothing until open is closed.
func startHeld(t *testing.T, loops int, node func(*Node), records ...store.Write) (r *rig, open chan struct{}) {
	o := defaults(loops)
	kept := memory.New(memory.Options{})
	storetest.Put(t, kept, records...)
	open = make(chan struct{})
	o.session.Store, o.session.Permission, o.node = &heldStore{kept, open}, prefixRules{}, node
	return startRig(t, o), open
}

// arrived returns when the server has read all that a client sent.
func (r *rig) arrived(name string) []string {
	r.t.Helper()
	lines, err := r.client(name).Fence()
	if err != nil {
		r.t.Fatal(err)
	}
	return lines
}

func (r *rig) want(lines ...string) {
	r.t.Helper()
	if got := r.fence(); !slices.Equal(got, lines) {
		r.t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(lines, "\n"))
	}
}

// A rule that has looked at the record is asked again if another write came first.
func TestARuleSeesTheRecordThatIsOverwritten(t *testing.T) {
	for _, loops := range []int{1, 3} {
		for _, request := range []string{"CREATEANDUPDATE", "DELETE"} {
			t.Run(fmt.Sprintf("loops=%d/%s", loops, request), func(t *testing.T) {
				r, open := startHeld(t, loops, nil, store.Write{Name: []byte("own/1"), Version: 1, Data: []byte(`{}`)})
				r.login("a")
				r.login("admin")
				r.arrived("a")
				r.arrived("admin")
				if request == "DELETE" {
					r.send("a", "RECORD DELETE name=own/1")
				} else {
					r.send("a", "RECORD CREATEANDUPDATE name=own/1 version=-1 data={} isWriteAck correlationId=1")
				}
				r.arrived("a")
				r.send("admin", `RECORD CREATEANDUPDATE name=own/1 version=-1 data={"locked":true}`)
				r.arrived("admin")
				if loops > 1 {
					r.settleMail()
				}
				close(open)
				if request == "DELETE" {
					r.want(`a <- RECORD MESSAGE_DENIED isError name="own/1" originalAction=DELETE`)
				} else {
					r.want(`a <- RECORD MESSAGE_DENIED isError isWriteAck name="own/1" correlationId="1" originalAction=CREATEANDUPDATE`)
				}
				r.send("admin", "RECORD READ name=own/1")
				r.want(`admin <- RECORD READ_RESPONSE name="own/1" version=2 data="{\"locked\":true}"`)
			})
		}
	}
}

// What a connection sent before it went takes effect, in order, even if its permission came later.
func TestWritesOutliveTheirConnection(t *testing.T) {
	r, open := startHeld(t, 3, nil, store.Write{Name: []byte("rights"), Version: 1, Data: []byte(`{"ask/1":true,"ask/2":true}`)})
	for _, name := range []string{"a", "admin"} {
		r.login(name)
		r.arrived(name)
	}
	r.send("admin", "EVENT SUBSCRIBE names=[ask/1 e ask/3]")
	r.arrived("admin")
	r.send("a",
		`RECORD CREATEANDUPDATE name=ask/1 version=-1 data={"n":1}`, "EVENT EMIT name=ask/1 data=1",
		`RECORD CREATEANDUPDATE name=ask/2 version=-1 data={"n":2}`, "EVENT EMIT name=e data=2", "EVENT EMIT name=ask/3 data=3",
		"EVENT SUBSCRIBE names=[ask/1]", `RECORD CREATEANDUPDATE name=ask/2 version=-1 data={"n":3}`, "RECORD DELETE name=ask/1")
	r.arrived("a")
	r.abort("a")
	close(open)
	r.want(`admin <- EVENT EMIT name="ask/1" data="1"`, `admin <- EVENT EMIT name="e" data="2"`)
	r.send("admin", "RECORD READ name=ask/1", "RECORD READ name=ask/2")
	got := r.fence()
	slices.Sort(got)
	if want := []string{
		`admin <- RECORD READ_RESPONSE name="ask/2" version=2 data="{\"n\":3}"`,
		`admin <- RECORD RECORD_NOT_FOUND isError name="ask/1" originalAction=READ`,
	}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// New rules decide about what was waiting when they came.
func TestNewRulesDecideAboutWhatWaits(t *testing.T) {
	r, open := startHeld(t, 1, nil, store.Write{Name: []byte("rights"), Version: 1, Data: []byte(`{"ask/1":true,"ask/2":true}`)})
	r.login("a")
	r.arrived("a")
	r.send("a", "EVENT SUBSCRIBE correlationId=1 names=[ask/1 ask/2]")
	r.arrived("a")
	r.node.UsePermission(prefixRules{denied: []string{"ask/2"}})
	close(open)
	r.want(
		`a <- EVENT MESSAGE_DENIED isError name="ask/2" correlationId="1" originalAction=SUBSCRIBE`,
		`a <- EVENT SUBSCRIBE isAck correlationId="1"`)
}

// Without room for what waits, the decision that holds up the others fails, and nothing else is lost.
func TestWithoutRoomToWaitDecisionsFail(t *testing.T) {
	r, open := startHeld(t, 1, func(n *Node) { n.waitBytesMax = 4000 },
		store.Write{Name: []byte("rights"), Version: 1, Data: []byte(`{"ask/1":true}`)})
	r.login("a")
	r.arrived("a")
	r.send("a", "EVENT SUBSCRIBE correlationId=0 names=[e]", "EVENT SUBSCRIBE correlationId=1 names=[ask/1]")
	for range 20 {
		r.send("a", "EVENT UNSUBSCRIBE correlationId=2 names=[x]")
	}
	got := r.arrived("a")
	close(open)
	got = append(got, r.arrived("a")...)
	if want := `EVENT MESSAGE_PERMISSION_ERROR isError name="ask/1" correlationId="1" originalAction=SUBSCRIBE`; len(got) != 22 || got[1] != want {
		t.Errorf("got %d answers: %q", len(got), got)
	}
	r.send("a", "EVENT SUBSCRIBE correlationId=3 names=["+someNames("ask/", 20)+"]")
	answers := 0
	for _, line := range r.fence() {
		if strings.Contains(line, "MESSAGE_PERMISSION_ERROR") || strings.Contains(line, "MESSAGE_DENIED") || strings.Contains(line, "isAck") {
			answers++
		}
	}
	if answers != 20 {
		t.Errorf("%d answers, want one for each of 19 names and the ack", answers)
	}
}

// A list may have more names than decisions fit into one go.
func TestALongListOfDecisions(t *testing.T) {
	const count = 3 * questionsTurn
	onSeveralNodes(t, func(t *testing.T, o rigOptions) {
		o.session.Permission = prefixRules{}
		r := startRig(t, o)
		r.login("admin")
		r.login("a")
		r.fence()
		r.send("admin", `RECORD CREATEANDUPDATE name=rights version=-1 data={"ask1":true,"ask77":true,"ask3071":true}`)
		r.fence()
		r.send("a", "EVENT SUBSCRIBE correlationId=1 names=["+someNames("ask", count)+"]", "EVENT EMIT name=after correlationId=2")
		got := r.fence()
		if len(got) != count-2 || got[len(got)-1] != `a <- EVENT SUBSCRIBE isAck correlationId="1"` {
			t.Errorf("%d answers, the last %q", len(got), got[len(got)-1])
		}
		sum := 0
		for _, h := range r.holdings() {
			sum += h.Subscriptions
		}
		if sum != 3 {
			t.Errorf("%d subscriptions, want the 3 that are allowed", sum)
		}
	})
}

// countingRules may read records and count what they are asked; they find data to be JSON. Those named deny
// are denied.
type countingRules struct {
	prefixRules
	asked *atomic.Int64
}

func (r countingRules) Check(q *permission.Question) permission.Answer {
	r.asked.Add(1)
	q.Valid = q.Data != nil
	return r.prefixRules.Check(q)
}

// Whether a message has to wait and whether it is allowed is one look at its rules, not two.
func TestRulesAreAskedOnce(t *testing.T) {
	asked := new(atomic.Int64)
	o := defaults(1)
	o.session.Permission = countingRules{asked: asked}
	r := startRig(t, o)
	r.login("a")
	r.login("b")
	r.fence()
	r.send("b", "EVENT SUBSCRIBE names=[e]")
	r.fence()
	for _, c := range []struct {
		text      string
		questions int64
		want      []string
	}{
		{`EVENT EMIT name=e data={"n":1}`, 1, []string{`b <- EVENT EMIT name="e" data="{\"n\":1}"`}},
		{`EVENT EMIT name=deny data={"n":1}`, 1, []string{`a <- EVENT MESSAGE_DENIED isError name="deny" originalAction=EMIT`}},
		{`RPC REQUEST name=fail correlationId=1`, 1, []string{`a <- RPC MESSAGE_PERMISSION_ERROR isError name="fail" correlationId="1" originalAction=REQUEST`}},
		{`RECORD CREATEANDUPDATE name=r version=-1 data={"n":1}`, 2, nil},
		{`RECORD READ name=r`, 1, []string{`a <- RECORD READ_RESPONSE name="r" version=1 data="{\"n\":1}"`}},
		{`EVENT EMIT correlationId=1`, 1, nil}, // nothing to remember it by, and no topic asks
	} {
		asked.Store(0)
		r.send("a", c.text)
		if got := r.fence(); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.text, got, c.want)
		}
		if n := asked.Load(); n != c.questions {
			t.Errorf("%s: rules were asked %d times, want %d", c.text, n, c.questions)
		}
	}
	// What was found out about one message is not taken for another one of the same name.
	asked.Store(0)
	r.send("a", "EVENT EMIT name=e data=1", "EVENT EMIT name=e data=2")
	r.want(`b <- EVENT EMIT name="e" data="1"`, `b <- EVENT EMIT name="e" data="2"`)
	if n := asked.Load(); n != 2 {
		t.Errorf("rules were asked %d times about two messages", n)
	}
}

// Rules that read no records of a topic are not looked at before its messages are carried out.
func TestTopicsWhoseRulesReadNothing(t *testing.T) {
	rules, _, err := valve.Load(valve.Source{File: "rules.yml", Text: []byte(
		"record: {'*': {read: 'oldData !== null'}}\nevent: {'*': {publish: true}}\nrpc: {'*': {request: '_(name)'}}\npresence: {'*': {}}\n")})
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{}
	for range 2 {
		g.use(valve.New(rules, valve.Options{}))
		for topic := range protocol.Topic(topics) {
			want := topic == protocol.TopicRecord || topic == protocol.TopicRPC
			if g.reading[topic] != want {
				t.Errorf("%s: %v", topic, g.reading[topic])
			}
		}
	}
	g.use(permission.None{})
	if g.reading != [topics]bool{} {
		t.Errorf("rules that are gone: %v", g.reading)
	}
}
