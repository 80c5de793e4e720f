package valve

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"deepstream-fast/permission"
	"deepstream-fast/protocol"
)

// benchCase is a rule with a question that it allows.
type benchCase struct {
	name, path, rule string
	q                permission.Question
}

var benchUser = &permission.User{ID: "bob", ServerData: []byte(`{"role":"admin","company":"acme"}`)}

// payload1K is a JSON object of 1 KiB, with what rules ask for in its middle.
func payload1K() []byte {
	pad := func(prefix string) string {
		var b strings.Builder
		for i := range 9 {
			fmt.Fprintf(&b, `"%s%d":"some text of a usual length here","n%s%d":%d,`, prefix, i, prefix, i, i*1000)
		}
		return b.String()
	}
	return []byte("{" + pad("x") + `"a":{"b":5,"c":[1,2,3]},` + strings.TrimSuffix(pad("y"), ",") + "}")
}

func benchCases() []benchCase {
	emit := func(name string, data []byte) permission.Question {
		return permission.Question{User: benchUser, Topic: protocol.TopicEvent, Action: protocol.EventEmit, Name: []byte(name), Data: data}
	}
	return []benchCase{
		{"true", "*", "", emit("chat/bob", payload1K())},
		{"user.id===$u", "chat/$u", "user.id === $u", emit("chat/bob", payload1K())},
		{"user.data.role", "chat/$u", "user.data.role === 'admin' || user.data.role === 'root'", emit("chat/bob", payload1K())},
		{"data.a.b>3", "chat/$u", "data.a.b > 3", emit("chat/bob", payload1K())},
		{"data.a.b>3/checked", "chat/$u", "data.a.b > 3", checked(emit("chat/bob", payload1K()))},
		{"data.small", "chat/$u", "data.a.b > 3 && data.c === 'x'", emit("chat/bob", []byte(`{"a":{"b":5},"c":"x"}`))},
		{"match", "chat/$u", "$u.match(/^[a-z]{1,20}$/) !== null", emit("chat/bob", nil)},
	}
}

// checked returns q as asked by somebody who has made sure that its data is JSON.
func checked(q permission.Question) permission.Question {
	q.Valid = true
	return q
}

// checker returns a Checker with the rule of the case, beside some others.
func (c benchCase) checker(tb testing.TB) *Checker {
	tb.Helper()
	rule := "true"
	if c.rule != "" {
		rule = fmt.Sprintf("%q", c.rule)
	}
	text := fmt.Sprintf("record: {'*': {read: true}}\nevent:\n  '*': {publish: true}\n  'z/$a/$b': {publish: false}\n  %q: {publish: %s}\nrpc: {'*': {}}\npresence: {'*': {}}\n", c.path, rule)
	if c.path == "*" {
		text = strings.Replace(text, "  '*': {publish: true}\n", "", 1)
	}
	return New(mustLoad(tb, text), Options{Now: func() time.Time { return time.UnixMilli(inputNow) }})
}

func mustLoad(tb testing.TB, text string) *Rules {
	tb.Helper()
	rules, _, err := Load(Source{File: "rules.yml", Text: []byte(text)})
	if err != nil {
		tb.Fatal(err)
	}
	return rules
}

// A message is decided without garbage, but for what match returns.
func TestCheckAllocates(t *testing.T) {
	want := map[string]float64{"match": 4}
	for _, c := range benchCases() {
		check := c.checker(t)
		if got := testing.AllocsPerRun(200, func() {
			if check.Check(&c.q) != permission.Allow {
				t.Fatalf("%s: not allowed", c.name)
			}
		}); got > want[c.name] {
			t.Errorf("%s: %v allocations, at most %v expected", c.name, got, want[c.name])
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	b.Run("rule=none", func(b *testing.B) {
		var check permission.Checker = permission.None{}
		q := benchCases()[0].q
		b.ReportAllocs()
		for b.Loop() {
			check.Check(&q)
		}
	})
	for _, c := range benchCases() {
		b.Run("rule="+c.name, func(b *testing.B) {
			var check permission.Checker = c.checker(b)
			b.ReportAllocs()
			before := cpuTime(b)
			for b.Loop() {
				q := &c.q
				known := q.Valid
				if check.Check(q) != permission.Allow {
					b.Fatal("not allowed")
				}
				q.Valid = known // each question comes with new data
			}
			b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// cpuTime returns user and system time of the process.
func cpuTime(b *testing.B) int64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkGoja is the same by a JavaScript engine, payloads decoded once: what it would cost otherwise.
func BenchmarkGoja(b *testing.B) {
	for _, c := range benchCases() {
		if c.rule == "" {
			continue
		}
		b.Run("rule="+c.name, func(b *testing.B) {
			o := newOracle()
			call, err := o.compile(strings.ReplaceAll(c.rule, "$u", "$userId"))
			if err != nil {
				b.Fatal(err)
			}
			args := o.arguments(input{user: *benchUser, name: "chat/bob/x", data: string(c.q.Data)})
			b.ReportAllocs()
			for b.Loop() {
				if _, err := call(nil, args...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSelect finds the rule of a name in a file of many paths.
func BenchmarkSelect(b *testing.B) {
	for _, paths := range []int{1, 16, 1000} {
		var text strings.Builder
		text.WriteString("record: {'*': {}}\nrpc: {'*': {}}\npresence: {'*': {}}\nevent:\n  '*': {publish: true}\n")
		for i := range paths - 1 {
			fmt.Fprintf(&text, "  'some/path%d/$x': {publish: true}\n", i)
		}
		check := New(mustLoad(b, text.String()), Options{})
		q := permission.Question{User: benchUser, Topic: protocol.TopicEvent, Action: protocol.EventEmit, Name: []byte("some/path0/x")}
		b.Run(fmt.Sprintf("paths=%d", paths), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				check.Check(&q)
			}
		})
	}
}
