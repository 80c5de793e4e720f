package valve

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"deepstream-fast/internal/ecma"
	"deepstream-fast/permission"
	"deepstream-fast/protocol"
)

const restOfFile = "\nrpc: {'*': {}}\npresence: {'*': {}}\n"

func emit(name, data string) *permission.Question {
	q := &permission.Question{User: benchUser, Topic: protocol.TopicEvent, Action: protocol.EventEmit, Name: []byte(name)}
	if data != "" {
		q.Data = []byte(data)
	}
	return q
}

// Which rule type each action needs; all others pass.
func TestEveryActionHasItsRule(t *testing.T) {
	want := map[string]ruleKind{
		"RECORD READ": recordRead, "RECORD HEAD": recordRead, "RECORD SUBSCRIBE": recordRead, "RECORD SUBSCRIBEANDHEAD": recordRead,
		"RECORD SUBSCRIBEANDREAD": recordRead, "RECORD CREATE": recordCreate, "RECORD UPDATE": recordWrite, "RECORD PATCH": recordWrite,
		"RECORD PATCH_MULTI": recordWrite, "RECORD DELETE": recordDelete, "RECORD ERASE": recordDelete, "RECORD LISTEN": recordListen,
		"RECORD NOTIFY": recordNotify, "EVENT EMIT": eventPublish, "EVENT SUBSCRIBE": eventSubscribe, "EVENT LISTEN": eventListen,
		"RPC PROVIDE": rpcProvide, "RPC REQUEST": rpcRequest, "PRESENCE QUERY_ALL": presenceAllow, "PRESENCE QUERY": presenceAllow,
		"PRESENCE SUBSCRIBE": presenceAllow, "PRESENCE SUBSCRIBE_ALL": presenceAllow,
	}
	found := 0
	for topic := protocol.TopicUnknown; topic <= protocol.TopicError; topic++ {
		for action := protocol.Action(0); action < 256; action++ {
			name := topic.String() + " " + action.Name(topic)
			k, needs := want[name]
			if !needs {
				k = noRule
			} else {
				found++
			}
			if got := kindOf(topic, action); got != k {
				t.Errorf("%s needs %d, want %d", name, got, k)
			}
		}
	}
	if found != len(want) {
		t.Errorf("%d of %d actions have names", found, len(want))
	}
}

// All loops decide by the same rules, and Checkers for other ones count together.
func TestConcurrentUse(t *testing.T) {
	text := "record: {'*': {}}\nevent:\n  '*': {publish: \"user.id === 'bob' && name.length > %d\"}\n  'x.$y': {publish: false}" + restOfFile
	c := New(mustLoad(t, fmt.Sprintf(text, 0)), Options{})
	other := c.With(mustLoad(t, fmt.Sprintf(text, 100)))
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for i := range 2000 {
				name := fmt.Sprintf("name/%d", i%100)
				if c.Check(emit(name, "")) != permission.Allow || other.Check(emit(name, "")) != permission.Deny || c.Check(emit(fmt.Sprintf("x.%d", i), "")) != permission.Deny {
					t.Error("wrong answer")
					return
				}
			}
		})
	}
	wait.Wait()
	if s := c.Stats(); s.Changes != 1 || s.Denied != 16000 || s.Failed != 0 || other.Stats() != s {
		t.Errorf("%+v", s)
	}
}

// Only actions with a rule that may look at a record can answer Pending.
func TestMayPend(t *testing.T) {
	c := New(mustLoad(t, "record: {'*': {create: true, write: 'data.a > 1', read: \"name === 'x'\", delete: 'oldData !== null', listen: true, notify: true}}\nevent: {'*': {publish: 'data.a > 1', subscribe: \"_('r').a\", listen: true}}\nrpc: {'*': {provide: true, request: true}}\npresence: {'*': {allow: true}}"), Options{})
	for _, tt := range []struct {
		topic  protocol.Topic
		action protocol.Action
		want   bool
	}{
		{protocol.TopicRecord, protocol.RecordPatch, true},
		{protocol.TopicRecord, protocol.RecordUpdate, true},
		{protocol.TopicRecord, protocol.RecordCreate, false},
		{protocol.TopicRecord, protocol.RecordRead, false},
		{protocol.TopicRecord, protocol.RecordErase, true},
		{protocol.TopicRecord, protocol.RecordUnsubscribe, false},
		{protocol.TopicEvent, protocol.EventEmit, false},
		{protocol.TopicEvent, protocol.EventSubscribe, true},
		{protocol.TopicPresence, protocol.PresenceQuery, false},
	} {
		if got := c.MayPend(tt.topic, tt.action); got != tt.want {
			t.Errorf("%v %d: %v", tt.topic, tt.action, got)
		}
	}
}

// The cache of selections forgets, but is never wrong.
func TestSelectionsAreBoundedAndRight(t *testing.T) {
	c := New(mustLoad(t, "record: {'*': {}}\nevent:\n  '*': {publish: false}\n  'x-$y-z': {publish: \"$y === name.match(/^x-(.*)-z$/)[1]\"}"+restOfFile), Options{})
	cache := c.rules.kinds[eventPublish].cache
	if cache == nil {
		t.Fatal("no cache for a regular expression")
	}
	for range 2 {
		for i := range 5000 {
			name, want := fmt.Sprintf("x-%d-z", i), permission.Allow
			if i%3 == 0 {
				name, want = name+"/", permission.Deny
			}
			if got := c.Check(emit(name, "")); got != want {
				t.Fatalf("%s: %v", name, got)
			}
		}
	}
	// Another name in the place of this one, as after a collision.
	slot := cache.slot(eventPublish, "x-1-z")
	other := *slot.Load()
	other.name, other.pattern = "x-2-z", c.rules.kinds[eventPublish].patterns[1]
	slot.Store(&other)
	if got := c.Check(emit("x-1-z", "")); got != permission.Allow || slot.Load().name != "x-1-z" {
		t.Fatalf("%v, and %q is kept", got, slot.Load().name)
	}
	if n := len(cache.slots); n != selectionsMax {
		t.Fatalf("%d slots", n)
	}
}

// A path that cannot tell whether it matches denies: a shorter one might allow.
func TestPathsFailClosed(t *testing.T) {
	c := New(mustLoad(t, "record: {'*': {}}\nevent:\n  '*': {publish: true}\n  '*(secret|private){1,9}': {publish: false}"+restOfFile), Options{})
	for name, want := range map[string]permission.Answer{
		"a": permission.Allow, "a/secret": permission.Deny,
		strings.Repeat("x", 60_000) + "secret": permission.Deny, strings.Repeat("x", 60_000): permission.Deny,
	} {
		if got := c.Check(emit(name, "")); got != want {
			t.Errorf("%.10s of %d bytes: %v", name, len(name), got)
		}
	}
}

// Characters above U+FFFF in paths and names are whole.
func TestPathsWithWideCharacters(t *testing.T) {
	c := New(mustLoad(t, "record: {'*': {}}\nevent:\n  '*': {publish: false}\n  '😀.[😁-😃]/$x-': {publish: \"$x === '😀'\"}"+restOfFile), Options{})
	for name, want := range map[string]permission.Answer{"😀x😂/😀-": permission.Allow, "😀😀😂/😀-": permission.Allow, "😀x😄/😀-": permission.Deny} {
		if got := c.Check(emit(name, "")); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// An event's SUBSCRIBE has no data, whatever was sent with it.
func TestSubscribeHasNoData(t *testing.T) {
	c := New(mustLoad(t, "record: {'*': {}}\nevent: {'*': {subscribe: \"data === undefined && data?.a === undefined\"}}"+restOfFile), Options{})
	q := emit("e", `{"a":1}`)
	q.Action = protocol.EventSubscribe
	if got := c.Check(q); got != permission.Allow {
		t.Errorf("%v", got)
	}
}

// One decision cannot ask for records without end.
func TestReferencesAreBounded(t *testing.T) {
	rule := "name"
	for i := range referencesMax + 1 {
		rule += fmt.Sprintf(" && _('r%d') === null", i)
	}
	loads := func(rule string) (permission.Answer, int) {
		c := New(mustLoad(t, fmt.Sprintf("record: {'*': {}}\nevent: {'*': {publish: %q}}", rule)+restOfFile), Options{RoundsMax: 1000})
		i, count := c.Inquire(emit("e", "")), 0
		for {
			answer, want := i.Next()
			if answer != permission.Pending {
				return answer, count
			}
			if len(want) == 0 || count > 2*referencesMax {
				t.Fatalf("%d names wanted after %d", len(want), count)
			}
			for _, name := range want {
				i.Loaded(name, nil, nil)
				count++
			}
		}
	}
	if answer, count := loads(rule); answer != permission.Failed || count != referencesMax {
		t.Errorf("%v after %d loads", answer, count)
	}
	if answer, count := loads("_('a') === _('a') && _('b') === null"); answer != permission.Allow || count != 2 {
		t.Errorf("%v after %d loads", answer, count)
	}
}

// Records that are handed over unasked, twice or late do no harm, and Next before its time says nothing.
func TestInquiryIsPatient(t *testing.T) {
	c := New(mustLoad(t, "record: {'*': {}}\nevent: {'*': {publish: \"_('a') !== 1 && _('b') === null\"}}"+restOfFile), Options{})
	q := emit("e", "")
	if got := c.Check(q); got != permission.Pending {
		t.Fatalf("got %v", got)
	}
	i := c.Inquire(q)
	i.Loaded("unasked", nil, nil)
	if answer, want := i.Next(); answer != permission.Pending || strings.Join(want, " ") != "a b" {
		t.Fatalf("%v %v", answer, want)
	}
	i.Loaded("a", nil, nil)
	i.Loaded("a", []byte("{}"), nil)
	if answer, want := i.Next(); answer != permission.Pending || want != nil {
		t.Fatalf("%v %v", answer, want)
	}
	i.Loaded("b", nil, nil)
	if answer, _ := i.Next(); answer != permission.Allow {
		t.Fatalf("%v", answer)
	}
	i.Loaded("b", nil, fmt.Errorf("late"))
	if answer, _ := i.Next(); answer != permission.Allow {
		t.Fatalf("after the end: %v", answer)
	}
}

// What a failing rule writes into the log is bounded, and never contains what was sent.
func TestLogIsBounded(t *testing.T) {
	var out strings.Builder
	now := time.Unix(1000, 0)
	c := New(mustLoad(t, "record: {'*': {}}\nevent: {'*': {publish: data.a.b.c}}"+restOfFile),
		Options{Log: slog.New(slog.NewTextHandler(&out, nil)), Now: func() time.Time { return now }})
	for range 100 {
		if c.Check(emit("e", `{"a":"secret"}`)) != permission.Failed {
			t.Fatal("not failed")
		}
	}
	if lines := strings.Count(out.String(), "\n"); lines != logsPerSecond {
		t.Errorf("%d lines in a second", lines)
	}
	now = now.Add(time.Second)
	c.Check(emit("e", `{"a":"secret"}`))
	if lines := strings.Count(out.String(), "\n"); lines != logsPerSecond+1 {
		t.Errorf("%d lines after the next", lines)
	}
	if strings.Contains(out.String(), "secret") {
		t.Error("the log has the payload")
	}
	if s := c.Stats(); s.Failed != 101 || s.LogSuppressed != 90 {
		t.Errorf("%+v", s)
	}
}

// A denial is worth a line to those who debug.
func TestDenialsAreShownToThoseWhoDebug(t *testing.T) {
	for level, want := range map[slog.Level]int{slog.LevelDebug: 2, slog.LevelInfo: 0} {
		var out strings.Builder
		c := New(mustLoad(t, "record: {'*': {}}\nevent: {'*': {publish: false}}"+restOfFile),
			Options{Log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level}))})
		c.Check(emit("e", ""))
		c.Check(&permission.Question{User: benchUser, Topic: protocol.TopicRPC, Action: protocol.RPCProvide, Name: []byte("r")})
		if lines := strings.Count(out.String(), "\n"); lines != want {
			t.Errorf("%v: %d lines\n%s", level, lines, out.String())
		}
	}
}

// What evaluation may make is bounded.
func TestLimitsOfEvaluation(t *testing.T) {
	long := `"` + strings.Repeat("a", textBytesMax-10) + `"`
	list := `[` + strings.Repeat(`"`+strings.Repeat("a", 10000)+`",`, 200) + `""]`
	for _, c := range []struct{ rule, data, want string }{
		{"(data + 'x').length", long, fmt.Sprint(textBytesMax - 9)},
		{"data + data", long, "throws"},
		{"`${data}${data}`", long, "throws"},
		{"'ß' + data", strings.Replace(long, "a", "ß", 1), fmt.Sprintf("%q", "ß"+strings.Trim(strings.Replace(long, "a", "ß", 1), `"`))},
		{"data + ''", list, "throws"},
		{"data == ''", list, "throws"},
		{"data < ''", list, "throws"},
		{"-data", list, "throws"},
		{"data in {}", list, "throws"},
		{"{}[data]", list, "throws"},
		{"'a'.includes(data)", list, "throws"},
		{"data.toUpperCase().length", `"` + strings.Repeat("ΐ", textBytesMax/3) + `"`, "throws"}, // becomes three letters
		{"data.match(/^(a|aa)+$/) === null", `"` + strings.Repeat("a", 500_000) + `b"`, "throws"},
		{"data.match(/^(?=a)a/) === null", long, "throws"},
		{"data.match(/a/g).length", `"` + strings.Repeat("a", matchesMax+1) + `"`, "throws"},
		{"data.match(/a/g).length", `"` + strings.Repeat("a", matchesMax) + `"`, fmt.Sprint(matchesMax)},
		{"data.match(/a*?/g).length", `"` + strings.Repeat("a", matchesMax) + `"`, "throws"}, // one more at the end
		{"'x'.match(data)", `"` + strings.Repeat("a", patternBytesMax+1) + `"`, "throws"},
		{"'x'.match(data)", `"` + strings.Repeat("a", dynamicBytesMax+1) + `"`, "throws"},
		{"'x'.match(data)", `"` + strings.Repeat("a", dynamicBytesMax) + `"`, "null"},
		{"'x'.match('(')", "1", "throws"},
		{"'ab'.match('a(?=b)')", "1", `array "a"`},
		{"'ab'.match(data)", `"a(?=b)"`, "throws"},
		{"'aab'.match(data)", `"a+"`, `array "aa"`},
		{"_(data)", long, "null"}, // no record has such a name
		{"+('0x' + data)", `"` + strings.Repeat("f", 2000) + `"`, "Infinity"},
		{"+('0x' + data)", `"` + strings.Repeat("f", 2000) + `g"`, "NaN"},
		{"+('0b' + data)", `"` + strings.Repeat("1", 1000) + `"`, spell(ecma.Number("0b" + strings.Repeat("1", 1000)))},
	} {
		r, err := parseRule(c.rule)
		if err != nil {
			t.Fatalf("%s: %v", c.rule, err)
		}
		if got := outcome(evaluate(r, input{name: "any/a/b", data: c.data})); got != c.want {
			t.Errorf("%s: got %.80s, want %.80s", c.rule, got, c.want)
		}
	}
}

// Regular expressions made at run time are remembered, a bounded number of them.
func TestDynamicRegexesAreKept(t *testing.T) {
	first, err := dynamicRegex("a+")
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := dynamicRegex("a+"); again != first {
		t.Error("compiled twice")
	}
	if large, err := dynamicRegex("a{999}b{999}"); err != nil || large.insts <= dynamicInstsMax {
		t.Fatalf("%v, %v", large, err)
	} else if again, _ := dynamicRegex("a{999}b{999}"); again == large {
		t.Error("a large one is kept")
	}
	for i := range 10 * dynamicMax {
		re, err := dynamicRegex(fmt.Sprintf("a%d", i))
		if err != nil || re.source != fmt.Sprintf("a%d", i) {
			t.Fatalf("%d: %v, %v", i, re, err)
		}
	}
	if n := len(dynamic.slots); n != dynamicMax {
		t.Errorf("%d slots", n)
	}
}

// A regular expression that backtracks for ever is stopped.
func TestBacktrackingIsStopped(t *testing.T) {
	defer func(d time.Duration) { regexTime = d }(regexTime)
	regexTime = 3 * time.Millisecond
	for _, rule := range []string{"data.match(/^(?=a)(a|aa)+$/) === null", "data.match(/(?=a)(a|aa)+$/g) === null"} {
		r, err := parseRule(rule)
		if err != nil {
			t.Fatal(err)
		}
		if got := outcome(evaluate(r, input{name: "any/a/b", data: `"` + strings.Repeat("a", 100) + `b"`})); got != "throws" {
			t.Errorf("%s: %s", rule, got)
		}
	}
}

// What a busy machine takes time for is not what these tests are about.
func TestMain(m *testing.M) {
	regexTime = time.Second
	m.Run()
}
