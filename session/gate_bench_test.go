package session

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"deepstream-fast/codec"
	"deepstream-fast/engine"
	"deepstream-fast/permission"
	"deepstream-fast/permission/valve"
	"deepstream-fast/protocol"
)

// bigEmit is an event of 1 KiB, with what rules ask for in the middle of its data.
func bigEmit() *protocol.Message {
	half := func(prefix string) string {
		var b strings.Builder
		for i := range 9 {
			fmt.Fprintf(&b, `"%s%d":"some text of a usual length here","n%s%d":%d,`, prefix, i, prefix, i, i*1000)
		}
		return b.String()
	}
	data := "{" + half("x") + `"a":{"b":5,"c":[1,2,3]},` + strings.TrimSuffix(half("y"), ",") + "}"
	return &protocol.Message{Topic: protocol.TopicEvent, Action: protocol.EventEmit, Name: []byte("chat/bob"), Data: []byte(data)}
}

// permissions are what BenchmarkEmit compares: the text of the publish rule for chat/$u.
var permissions = []struct{ name, rule string }{
	{"none", ""},
	{"true", "true"},
	{"user.id===$u", "'user.id === $u'"},
	{"data.a.b>3", "'data.a.b > 3'"},
	{"data.a.b>3&&data.a.c[2]>2", "'data.a.b > 3 && data.a.c[2] > 2'"},
}

func rulesFor(tb testing.TB, rule string) permission.Checker {
	tb.Helper()
	if rule == "" {
		return permission.None{}
	}
	text := "record: {'*': {read: 'oldData === null'}}\nevent:\n  '*': {publish: false}\n  'z/$a/$b': {publish: false}\n" +
		"  chat/$u: {publish: " + rule + "}\nrpc: {'*': {}}\npresence: {'*': {}}\n"
	rules, _, err := valve.Load(valve.Source{File: "rules.yml", Text: []byte(text)})
	if err != nil {
		tb.Fatal(err)
	}
	return valve.New(rules, valve.Options{})
}

// onLoop runs f on the loop of the only connection, which it gets with its session.
func (r *rig) onLoop(f func(l *Loop, c *engine.Conn, s *conn)) {
	done := make(chan struct{})
	r.eng.Post(0, engine.Mail{Kind: mailCall, Body: func(l *Loop) {
		defer close(done)
		for slot := range l.conns.size() {
			if s := l.conns.at(slot); s.phase == phaseOpen {
				f(l, l.eng.Conn(s.id), s)
			}
		}
	}})
	<-done
}

// BenchmarkEmit takes an event of a logged-in client, as decoded, through the session to the registry,
// where nobody subscribes to it: the differences are what permission costs. cpu-ns/op is user and system
// time of the process.
func BenchmarkEmit(b *testing.B) {
	for _, p := range permissions {
		b.Run("permission="+p.name, func(b *testing.B) {
			o := defaults(1)
			o.session.Permission = rulesFor(b, p.rule)
			r := startRig(b, o)
			r.login("bob")
			r.fence()
			var m protocol.Message
			if _, err := codec.Decode(&m, codec.Append(nil, bigEmit())); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.SetBytes(int64(len(m.Data)))
			r.onLoop(func(l *Loop, c *engine.Conn, s *conn) {
				before := cpuTime(b)
				for b.Loop() {
					l.route(c, s, &m)
				}
				b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
				if l.tally.refusals != 0 {
					b.Error("refused")
				}
			})
		})
	}
}

func cpuTime(b *testing.B) int64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
