package session

import (
	"bytes"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"deepstream-fast/protocol"
)

// lines collects what is logged, without times and names of connections.
type lines struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

var volatile = regexp.MustCompile(`connection=\S+|127\.0\.0\.1:\d+`)

// take returns the lines so far and forgets them.
func (l *lines) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := volatile.ReplaceAllStringFunc(l.text.String(), func(s string) string {
		if strings.HasPrefix(s, "c") {
			return "connection=C"
		}
		return "ADDR"
	})
	l.text.Reset()
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
}

func logTo(w *lines, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

func TestTheLifeOfAConnectionIsLogged(t *testing.T) {
	w := &lines{}
	o := defaults(1)
	o.session.Log = logTo(w, slog.LevelInfo)
	r := startRig(t, o)
	r.connect("a")
	r.send("a", "CONNECTION CHALLENGE")
	r.send("a", "AUTH REQUEST data=`{\"username\":\"a\\nlevel=ERROR\"}`")
	r.fence()
	r.connect("b")
	r.close("a")
	r.close("b")
	r.settle()
	got := w.take()
	slices.Sort(got)
	want := []string{
		`level=INFO msg="\"a\\nlevel=ERROR\"" event=AUTH_SUCCESSFUL connection=C`,
		`level=INFO msg="\"a\\nlevel=ERROR\"" event=CLIENT_DISCONNECTED connection=C`,
		`level=INFO msg="from undefined (ADDR)" event=INCOMING_CONNECTION connection=C`,
		`level=INFO msg="from undefined (ADDR)" event=INCOMING_CONNECTION connection=C`,
		`level=INFO msg=null event=CLIENT_DISCONNECTED connection=C`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A complaint names what was wrong, and who. How many there are is TestComplaintsLeftOutAreCounted's.
func TestComplaintsNameWhatAndWho(t *testing.T) {
	w := &lines{}
	o := defaults(1)
	o.session.Log = logTo(w, slog.LevelWarn)
	r := startRig(t, o)
	r.login("a")
	for range 4 {
		r.send("a", "EVENT SUBSCRIBE names=[x]") // from the second on a mistake
	}
	r.fence()
	got := w.take()
	want := "level=WARN msg=x event=MULTIPLE_SUBSCRIPTIONS topic=EVENT action=SUBSCRIBE connection=C user=a"
	if len(got) == 0 || got[0] != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestComplaintsLeftOutAreCounted(t *testing.T) {
	e := newEventLog(slog.New(slog.DiscardHandler))
	id := func(i int) protocol.ConnID { return protocol.MakeConnID(0, uint32(i), 1) }
	admit := func(i int, now time.Duration, suppressed int, ok bool) {
		t.Helper()
		if n, got := e.admit(id(i), now); n != suppressed || got != ok {
			t.Errorf("connection %d at %v: %d, %v, want %d, %v", i, now, n, got, suppressed, ok)
		}
	}
	admit(1, 0, 0, true)
	admit(1, complaintPause/2, 0, false)
	admit(1, complaintPause-1, 0, false)
	admit(1, complaintPause, 2, true)
	for i := 2; i < complaintsPerSecond+1; i++ { // the second of the first line began with it
		admit(i, complaintPause, 0, true)
	}
	admit(100, complaintPause, 0, false)
	admit(100, 2*complaintPause, 1, true)
}

// A million clients that go wrong cost no more memory than complainersMax.
func TestComplainersAreBounded(t *testing.T) {
	e := newEventLog(slog.New(slog.DiscardHandler))
	for i := range 3 * complainersMax {
		e.admit(protocol.MakeConnID(0, uint32(i), 1), complaintPause/2)
	}
	if n := len(e.complainers); n > complainersMax+1 {
		t.Errorf("%d remembered", n)
	}
	if n := e.complainers[0].suppressed; n == 0 {
		t.Error("those beyond are not counted")
	}
	e.admit(protocol.MakeConnID(1, 0, 1), 3*complaintPause)
	if n := len(e.complainers); n != 1 {
		t.Errorf("%d remembered when all may be logged again", n)
	}
}

func TestCleanTextFitsALine(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "user/ü": "user/ü", "a b": "a b", "a\nb": `"a\nb"`, "\x1b[31m": `"\x1b[31m"`, "\xff": `"\xff"`,
		strings.Repeat("x", textBytesMax):   strings.Repeat("x", textBytesMax),
		strings.Repeat("x", textBytesMax+1): strings.Repeat("x", textBytesMax) + "…",
		"a" + strings.Repeat("ü", 100):      "a" + strings.Repeat("ü", textBytesMax/2-1) + "…",
	} {
		if got := clean(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// Every name in the table is one that the protocol knows: a typing error would silence it.
func TestLevelsNameActions(t *testing.T) {
	for name := range levels {
		found := false
		for topic := range protocol.Topic(levelTopics) {
			action, ok := protocol.ActionByName(topic, name)
			found = found || ok
			if ok && levelTable[topic][action] != int8(levels[name]) {
				t.Errorf("%s %s has level %d", topic, name, levelTable[topic][action])
			}
		}
		if !found {
			t.Errorf("no topic has an action %s", name)
		}
	}
}

func BenchmarkComplaint(b *testing.B) {
	e := &Loop{events: newEventLog(slog.New(slog.DiscardHandler))}
	for _, m := range []protocol.Message{
		{Topic: protocol.TopicRecord, Action: protocol.RecordWriteAcknowledgement},
		{Topic: protocol.TopicRecord, Action: protocol.RecordVersionExists},
	} {
		b.Run(fmt.Sprintf("action=%s", m.Action.Name(m.Topic)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e.complain(1, &m)
			}
		})
	}
}
