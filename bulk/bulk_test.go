package bulk

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"deepstream-fast/codec"
	"deepstream-fast/permission"
	"deepstream-fast/protocol"
	"deepstream-fast/registry"
)

var testTopic = Topic{
	Topic: protocol.TopicEvent, Space: 'e',
	Denied: protocol.EventMessageDenied, Failed: protocol.EventMessagePermissionError,
	Invalid: protocol.EventInvalidMessageData, Multiple: protocol.EventMultipleSubscriptions,
}

// prefixRules denies names that begin with deny and fails on those that begin with fail.
type prefixRules struct{ asked int }

func (p *prefixRules) Check(q *permission.Question) permission.Answer {
	p.asked++
	switch {
	case strings.HasPrefix(string(q.Name), "deny"):
		return permission.Deny
	case strings.HasPrefix(string(q.Name), "fail"):
		return permission.Failed
	}
	return permission.Allow
}

// recorder is Out and Observer; it writes down what it hears in order.
type recorder struct {
	lines   []string
	limited int
}

func (r *recorder) Reply(_ protocol.ConnID, m *protocol.Message) {
	r.lines = append(r.lines, m.String())
}

func (r *recorder) Limited() { r.limited++ }

func (r *recorder) Subscribed(_ protocol.ConnID, name []byte, edge bool) {
	r.lines = append(r.lines, fmt.Sprintf("+%s %v", name, edge))
}

func (r *recorder) Unsubscribed(_ protocol.ConnID, name []byte, edge bool) {
	r.lines = append(r.lines, fmt.Sprintf("-%s %v", name, edge))
}

func (r *recorder) take() []string {
	lines := r.lines
	r.lines = nil
	return lines
}

var peerUnderTest = Peer{ID: protocol.MakeConnID(0, 1, 1), User: &permission.User{ID: "u"}}

const namesMax = 5

func newRunner(out Out, check permission.Checker) (*Runner, *registry.Loop) {
	subs := registry.NewLoop(registry.NewTable(registry.Options{Loops: 1}), 0)
	return New(subs, check, out, Limits{Names: namesMax}), subs
}

// request returns a message as it comes from a client: its names are a view of the wire.
func request(t testing.TB, action protocol.Action, names ...string) *protocol.Message {
	t.Helper()
	list := make([][]byte, len(names))
	for i, n := range names {
		list[i] = []byte(n)
	}
	wire := codec.Append(nil, &protocol.Message{
		Topic: protocol.TopicEvent, Action: action, CorrelationID: []byte("1"), Names: protocol.ListNames(list),
	})
	m := new(protocol.Message)
	if _, err := codec.Decode(m, wire); err != nil {
		t.Fatal(err)
	}
	return m
}

const (
	ackSubscribe   = `EVENT SUBSCRIBE isAck correlationId="1"`
	ackUnsubscribe = `EVENT UNSUBSCRIBE isAck correlationId="1"`
)

func refused(action, name string) string {
	return fmt.Sprintf(`EVENT %s isError name=%q correlationId="1" originalAction=SUBSCRIBE`, action, name)
}

func TestSubscribe(t *testing.T) {
	tooLong := strings.Repeat("x", registry.KeyBytesMax)
	for _, tt := range []struct {
		name  string
		names []string
		want  []string
	}{
		{"none", nil, []string{ackSubscribe}},
		{"new ones", []string{"a", "b"}, []string{"+a true", "+b true", ackSubscribe}},
		{"somebody else's", []string{"shared"}, []string{"+shared false", ackSubscribe}},
		{"one twice", []string{"a", "a"}, []string{"+a true", `EVENT MULTIPLE_SUBSCRIPTIONS name="a" originalAction=SUBSCRIBE`, ackSubscribe}},
		{"first denied", []string{"deny", "a"}, []string{refused("MESSAGE_DENIED", "deny"), "+a true", ackSubscribe}},
		{"middle denied", []string{"a", "deny", "b"}, []string{"+a true", refused("MESSAGE_DENIED", "deny"), "+b true", ackSubscribe}},
		{"last denied", []string{"a", "deny"}, []string{"+a true", refused("MESSAGE_DENIED", "deny"), ackSubscribe}},
		{"all denied", []string{"deny", "fail"}, []string{refused("MESSAGE_DENIED", "deny"), refused("MESSAGE_PERMISSION_ERROR", "fail")}},
		{"empty", []string{"", "a"}, []string{refused("INVALID_MESSAGE_DATA", ""), "+a true", ackSubscribe}},
		{"too long", []string{tooLong}, []string{refused("INVALID_MESSAGE_DATA", tooLong), ackSubscribe}},
		{"too many", []string{"1", "2", "3", "4", "5", "6"}, []string{`EVENT INVALID_MESSAGE_DATA isError correlationId="1" originalAction=SUBSCRIBE`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rec := &recorder{}
			r, subs := newRunner(rec, &prefixRules{})
			if _, err := subs.Subscribe(9, r.Key('e', []byte("shared"))); err != nil {
				t.Fatal(err)
			}
			r.Subscribe(&testTopic, peerUnderTest, request(t, protocol.EventSubscribe, tt.names...), rec)
			if got := rec.take(); !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			subscribed := 0
			for _, line := range tt.want {
				if strings.HasPrefix(line, "+") {
					subscribed++
				}
			}
			if got := subs.Count(peerUnderTest.ID.Slot()); got != subscribed {
				t.Errorf("%d subscriptions, want %d", got, subscribed)
			}
		})
	}
}

func TestUnsubscribeAsksNobody(t *testing.T) {
	rec, rules := &recorder{}, &prefixRules{}
	r, subs := newRunner(rec, rules)
	r.Subscribe(&testTopic, peerUnderTest, request(t, protocol.EventSubscribe, "a", "b"), rec)
	if _, err := subs.Subscribe(9, r.Key('e', []byte("b"))); err != nil {
		t.Fatal(err)
	}
	rec.take()
	rules.asked = 0
	r.Unsubscribe(&testTopic, peerUnderTest, request(t, protocol.EventUnsubscribe, "a", "deny", "", "b", "a"), rec)
	if want := []string{"-a true", "-b false", ackUnsubscribe}; !slices.Equal(rec.lines, want) {
		t.Errorf("got %q, want %q", rec.lines, want)
	}
	if rules.asked != 0 || subs.Count(peerUnderTest.ID.Slot()) != 0 {
		t.Errorf("%d questions, %d subscriptions left", rules.asked, subs.Count(peerUnderTest.ID.Slot()))
	}
}

func TestTooManyNamesToUnsubscribe(t *testing.T) {
	rec := &recorder{}
	r, subs := newRunner(rec, &prefixRules{})
	r.Subscribe(&testTopic, peerUnderTest, request(t, protocol.EventSubscribe, "1"), rec)
	rec.take()
	r.Unsubscribe(&testTopic, peerUnderTest, request(t, protocol.EventUnsubscribe, "1", "2", "3", "4", "5", "6"), rec)
	want := `EVENT INVALID_MESSAGE_DATA isError correlationId="1" originalAction=UNSUBSCRIBE`
	if got := rec.take(); !slices.Equal(got, []string{want}) || subs.Count(peerUnderTest.ID.Slot()) != 1 {
		t.Fatalf("got %q, %d subscriptions", got, subs.Count(peerUnderTest.ID.Slot()))
	}
}

// An absent correlation id stays absent, an empty one is worth nothing in a refusal.
func TestCorrelationIDGoesBackAsItCame(t *testing.T) {
	rec := &recorder{}
	r, _ := newRunner(rec, &prefixRules{})
	m := request(t, protocol.EventSubscribe, "a", "deny")
	m.CorrelationID = nil
	r.Subscribe(&testTopic, peerUnderTest, m, rec)
	m.CorrelationID = []byte{}
	r.Allowed(&testTopic, peerUnderTest, m, []byte("deny"))
	want := []string{
		"+a true", `EVENT MESSAGE_DENIED isError name="deny" originalAction=SUBSCRIBE`, "EVENT SUBSCRIBE isAck",
		`EVENT MESSAGE_DENIED isError name="deny" originalAction=SUBSCRIBE`,
	}
	if got := rec.take(); !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

// ignorer is Out and Observer of somebody who only wants the time.
type ignorer struct{}

func (ignorer) Limited() {}

func (ignorer) Reply(protocol.ConnID, *protocol.Message)   {}
func (ignorer) Subscribed(protocol.ConnID, []byte, bool)   {}
func (ignorer) Unsubscribed(protocol.ConnID, []byte, bool) {}

func namesOf(count int) []string {
	names := make([]string, count)
	for i := range names {
		names[i] = fmt.Sprintf("sensors/%d/temperature", i)
	}
	return names
}

// Names are streamed: once the registry knows them, a bulk message costs no memory however long.
func TestBulkAllocatesNothingPerName(t *testing.T) {
	r, subs := newRunner(ignorer{}, permission.None{})
	r.limits.Names = 10_000
	names := namesOf(1000)
	on, off := request(t, protocol.EventSubscribe, names...), request(t, protocol.EventUnsubscribe, names...)
	for _, name := range names { // keeps the names known
		if _, err := subs.Subscribe(9, r.Key('e', []byte(name))); err != nil {
			t.Fatal(err)
		}
	}
	if got := testing.AllocsPerRun(20, func() {
		r.Subscribe(&testTopic, peerUnderTest, on, ignorer{})
		r.Unsubscribe(&testTopic, peerUnderTest, off, ignorer{})
	}); got > 10 {
		t.Fatalf("%v allocations to come and go with 1000 names", got)
	}
}

func BenchmarkBulkSubscribe(b *testing.B) {
	for _, count := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("names=%d", count), func(b *testing.B) {
			r, _ := newRunner(ignorer{}, permission.None{})
			r.limits.Names = count
			names := namesOf(count)
			on, off := request(b, protocol.EventSubscribe, names...), request(b, protocol.EventUnsubscribe, names...)
			b.ReportAllocs()
			for b.Loop() {
				r.Subscribe(&testTopic, peerUnderTest, on, ignorer{})
				r.Unsubscribe(&testTopic, peerUnderTest, off, ignorer{})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(2*count*b.N), "ns/name")
		})
	}
}

// readers are rules that look at data: they refuse what is not there, and say that the rest is JSON.
type readers struct{}

func (readers) Check(q *permission.Question) permission.Answer {
	q.Valid = strings.HasPrefix(string(q.Data), "{")
	return permission.Allow
}

// Permission is decided first; what a rule has found out about the data is not found out again.
func TestAllowedData(t *testing.T) {
	for _, c := range []struct {
		name, data     string
		rules          permission.Checker
		allowed, valid bool
		want           []string
	}{
		{"a", `{"a":1}`, permission.None{}, true, true, nil},
		{"a", `{"a":1`, permission.None{}, true, false, nil},
		{"a", ``, permission.None{}, true, false, nil},
		{"deny", `{"a":1`, &prefixRules{}, false, false, []string{refused("MESSAGE_DENIED", "deny")}},
		{"fail", `{"a":1`, &prefixRules{}, false, false, []string{refused("MESSAGE_PERMISSION_ERROR", "fail")}},
		{"a", `{"known by the rule"`, readers{}, true, true, nil},
		{"a", `[not known`, readers{}, true, false, nil},
		{"a", `[1]`, readers{}, true, true, nil},
	} {
		rec := &recorder{}
		r, _ := newRunner(rec, c.rules)
		m := request(t, protocol.EventSubscribe)
		m.Name, m.Data = []byte(c.name), []byte(c.data)
		if allowed, valid := r.AllowedData(&testTopic, peerUnderTest, m); allowed != c.allowed || valid != c.valid {
			t.Errorf("%s %s: %v %v", c.name, c.data, allowed, valid)
		}
		if got := rec.take(); !slices.Equal(got, c.want) {
			t.Errorf("%s %s: answers %q, want %q", c.name, c.data, got, c.want)
		}
		m.Data = nil
		if allowed, valid := r.AllowedData(&testTopic, peerUnderTest, m); allowed && !valid {
			t.Errorf("%s: nothing is not JSON", c.name)
		}
	}
}
