package valve

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"deepstream-fast/internal/testkit"
	"deepstream-fast/permission"
	"deepstream-fast/protocol"
)

// machine is a Checker with the records it may load.
//
//	load [file=NAME] [rounds=N]   rules from testdata/files, or those below the command
//	user id=ID                    who asks from now on; below: serverData
//	record name=NAME [broken]     a record with the content below, without any: none
//	now ms=N                      the clock
//	ask TOPIC ACTION [name=] [path=] [create]    below: data; shows every round and what is logged
//	use                           swap the rules below in while the next question is under way
//	explain TOPIC ACTION ...      as ask
//	stats
type machine struct {
	t       *testing.T
	tr      testkit.Transcript
	opts    Options
	check   *Checker
	user    permission.User
	records map[string][]byte
	broken  map[string]bool
	now     time.Time
	swap    *Rules // comes into force after the first round of the next question
}

func TestScenarios(t *testing.T) {
	testkit.RunScenarios(t, func(t *testing.T) func(*testkit.Command) string {
		m := &machine{t: t, records: map[string][]byte{}, broken: map[string]bool{}, now: time.UnixMilli(inputNow)}
		m.user.ID = "bob"
		return m.run
	})
}

func (m *machine) run(c *testkit.Command) string {
	switch c.Cmd {
	case "load":
		m.load(c)
	case "user":
		m.user = permission.User{ID: string(c.Bytes("id")), ServerData: payload(c)}
	case "record":
		name := string(c.Bytes("name"))
		m.records[name] = payload(c)
		m.broken[name] = c.HasArg("broken")
	case "now":
		m.now = time.UnixMilli(int64(c.Int("ms")))
	case "ask":
		m.ask(m.question(c))
	case "use":
		m.swap, _, _ = Load(Source{File: "later.yml", Text: []byte(c.Input)})
	case "explain":
		q := m.question(c)
		e := Explain(m.check.rules, &q, m.opts, func(name string) ([]byte, bool) {
			data := m.records[name]
			return data, data != nil
		})
		return e.String()
	case "stats":
		m.tr.Addf("%+v", m.check.Stats())
	default:
		return c.Unknown()
	}
	return m.tr.Take()
}

func payload(c *testkit.Command) []byte {
	if c.Input == "" {
		return nil
	}
	return []byte(c.Input)
}

func (m *machine) load(c *testkit.Command) {
	src := Source{File: "rules.yml", Text: []byte(c.Input)}
	if name := string(c.Bytes("file")); name != "" {
		src = Source{File: name, Text: testkit.Must(os.ReadFile(filepath.Join("testdata", "files", name))), Env: func(string) (string, bool) { return "", false }}
	}
	rules, warnings, err := Load(src)
	for _, w := range warnings {
		m.tr.Addf("warning: %v", w)
	}
	if err != nil {
		m.tr.Addf("%v", err)
		return
	}
	m.opts = Options{Log: slog.New(&logLines{m}), Now: func() time.Time { return m.now }}
	if c.HasArg("rounds") {
		m.opts.RoundsMax = c.Int("rounds")
	}
	m.check = New(rules, m.opts)
}

func (m *machine) question(c *testkit.Command) permission.Question {
	topic, ok := protocol.TopicByName(c.CmdArgs[0].Key)
	if !ok {
		c.Fatalf(m.t, "unknown topic")
	}
	action, ok := protocol.ActionByName(topic, c.CmdArgs[1].Key)
	if !ok {
		c.Fatalf(m.t, "unknown action")
	}
	return permission.Question{
		User: &m.user, Topic: topic, Action: action, Name: c.Bytes("name"), Path: c.Bytes("path"),
		Create: c.HasArg("create"), Data: payload(c),
	}
}

var answerNames = map[permission.Answer]string{
	permission.Allow: "allow", permission.Deny: "deny", permission.Failed: "failed", permission.Pending: "pending",
}

func (m *machine) ask(q permission.Question) {
	answer := m.check.Check(&q)
	if answer != permission.Pending {
		m.tr.Addf("%s", answerNames[answer])
		return
	}
	i := m.check.Inquire(&q)
	for {
		answer, want := i.Next()
		if answer != permission.Pending {
			m.tr.Addf("%s", answerNames[answer])
			return
		}
		m.tr.Addf("wants %s", strings.Join(want, ", "))
		if m.swap != nil {
			m.check = m.check.With(m.swap)
			m.swap = nil
		}
		for _, name := range want {
			var err error
			if m.broken[name] {
				err = errors.New("disk on fire")
			}
			i.Loaded(name, m.records[name], err)
		}
	}
}

// logLines writes log messages into the transcript.
type logLines struct{ m *machine }

func (l *logLines) Enabled(_ context.Context, v slog.Level) bool { return v >= slog.LevelInfo }
func (l *logLines) WithAttrs([]slog.Attr) slog.Handler           { return l }
func (l *logLines) WithGroup(string) slog.Handler                { return l }

func (l *logLines) Handle(_ context.Context, r slog.Record) error {
	line := []string{r.Level.String(), r.Message}
	r.Attrs(func(a slog.Attr) bool {
		if !slices.Contains([]string{"namespace", "rule"}, a.Key) {
			line = append(line, a.String())
		}
		return true
	})
	l.m.tr.Addf("log: %s", strings.Join(line, " "))
	return nil
}
