package session

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"deepstream-fast/codec/ws"
	"deepstream-fast/fuzz/peer"
	"deepstream-fast/internal/testkit"
	"deepstream-fast/protocol"
	"deepstream-fast/store"
	"deepstream-fast/store/memory"
)

// Scenarios run over the real engine. Every command's effect is the whole of what all clients
// received because of it, in order.
func TestScenariosOnOneLoop(t *testing.T) {
	testkit.RunScenarios(t, func(t *testing.T) func(*testkit.Command) string { return newScenario(t, 1).run })
}

// The same files hold for several loops: what a client sees of one subject may not depend on where
// the others, or the home of a name, live. Between subjects there is no order, since each has a home
// of its own. Record files with one loop only.
func TestScenariosOnSeveralLoops(t *testing.T) {
	testkit.RunScenarios(t, func(t *testing.T) func(*testkit.Command) string {
		s := newScenario(t, 3)
		return func(c *testkit.Command) string {
			got := s.run(c)
			expected := strings.TrimSuffix(c.Expected, "\n")
			if slices.Equal(bySubject(strings.Split(got, "\n")), bySubject(strings.Split(expected, "\n"))) {
				return expected
			}
			return got
		}
	})
}

// bySubject sorts lines by client and subject, and leaves the order of equal ones. Versions are a line
// for each name: every home sends its own.
func bySubject(lines []string) []string {
	var single []string
	for _, line := range lines {
		single = append(single, expandVersions(line)...)
	}
	lines = single
	slices.SortStableFunc(lines, func(a, b string) int { return strings.Compare(subject(a), subject(b)) })
	return lines
}

// versionsLine finds "client <- RECORD HEAD_RESPONSE_BULK versions: "a"@1 "b"@-1".
var versionsLine = regexp.MustCompile(`^(\w+) <- RECORD HEAD_RESPONSE_BULK versions: (.+)$`)

// expandVersions returns a HEAD_RESPONSE for each name of a HEAD_RESPONSE_BULK, which means the same, and
// any other line as it is.
func expandVersions(line string) (lines []string) {
	m := versionsLine.FindStringSubmatch(line)
	if m == nil {
		return []string{line}
	}
	for _, v := range strings.Fields(m[2]) {
		name, version, _ := strings.Cut(v, "@")
		lines = append(lines, fmt.Sprintf("%s <- RECORD HEAD_RESPONSE name=%s version=%s", m[1], name, version))
	}
	return lines
}

// subject returns what a line "client <- message" is about: the client, the topic and the name. What
// a pattern's provider is asked about a name is a subject of its own: its home decides that, while
// the client's own loop answers its requests.
func subject(line string) string {
	client, text, _ := strings.Cut(line, " <- ")
	m, err := peer.Parse(text)
	switch {
	case err != nil: // the end of a connection
		return client + " ~"
	case m.Subscription != nil:
		return fmt.Sprintf("%s %v provides %q", client, m.Topic, m.Subscription)
	}
	return fmt.Sprintf("%s %v %q", client, m.Topic, m.Name)
}

// scenario is the machine behind the commands:
//
//	node key=value…      settings of the node, before the first connection
//	store name=… …       puts a record into the store, behind the node's back; deleted removes it
//	connect a b          open WebSockets
//	online a b           open WebSockets and log in as users a, b
//	send                 lines "a: MESSAGE", one after the other
//	pipeline a           lines MESSAGE, in one write
//	frame a op=1 hex=…   a frame of any kind
//	oversize a bytes=n   an EMIT of n bytes of data, or with names=n a SUBSCRIBE
//	verdict key          ends the wait of a login
//	await a              until the server ends the connection
//	expect a TEXT        until a message that begins so has come
//	close a · reset a    end connections, in the orderly way or not
//	rules a b            change the rules: the names a and b are denied as well
//	holdings             sums over all loops
type scenario struct {
	t    *testing.T
	opts rigOptions
	auth scriptedAuth
	rig  *rig
}

func newScenario(t *testing.T, loops int) *scenario {
	s := &scenario{t: t, opts: defaults(loops)}
	s.opts.session.Permission, s.opts.session.Auth = prefixRules{}, &s.auth
	return s
}

func (s *scenario) run(c *testkit.Command) string {
	if c.Cmd == "node" {
		s.configure(c)
		return "ok"
	}
	if s.rig == nil {
		s.rig = startRig(s.t, s.opts)
	}
	if c.Cmd == "store" {
		return s.putIntoStore(c)
	}
	lines := s.act(c)
	lines = append(lines, s.rig.fence()...)
	if len(lines) == 0 {
		return "nothing"
	}
	return strings.Join(lines, "\n")
}

func (s *scenario) configure(c *testkit.Command) {
	if s.rig != nil {
		c.Fatalf(s.t, "the node is already running")
	}
	o := &s.opts.session
	for _, arg := range c.CmdArgs {
		switch arg.Key {
		case "topics":
			has := func(topic string) bool { return strings.Contains(strings.Join(arg.Vals, " "), topic) }
			o.Events, o.RPC, o.Presence, o.Records = has("event"), has("rpc"), has("presence"), has("record")
		case "store": // records outlive the cache
			o.Store = memory.New(memory.Options{})
		case "cache-bytes":
			o.CacheBytesMax = int64(c.Int(arg.Key))
		case "exclude":
			o.Record.ExclusionPrefixes = arg.Vals
		case "hot":
			o.Record.HotPathPrefixes = arg.Vals
		case "attempts":
			o.AuthAttemptsMax = c.Int(arg.Key)
		case "names-max":
			o.BulkNamesMax = c.Int(arg.Key)
		case "message-max": // bulk messages may have eight times as much
			o.MessageBytesMax = c.Int(arg.Key)
			s.opts.engine.MessageBytesMax, s.opts.engine.BulkBytesMax = o.MessageBytesMax, 8*o.MessageBytesMax
		case "patterns-max":
			o.Listen.PatternsPerConnMax = c.Int(arg.Key)
		case "subscriptions-max":
			o.SubscriptionsMax = c.Int(arg.Key)
		case "calls-max":
			o.CallsMax = c.Int(arg.Key)
		case "messages-max": // in a time that no test takes
			o.MessageBurst, o.MessageInterval = c.Int(arg.Key), time.Hour
		case "login-timeout":
			o.UnauthenticatedTimeout = testkit.Must(time.ParseDuration(arg.Vals[0]))
		case "ack-timeout":
			o.Calls.AckTimeout = testkit.Must(time.ParseDuration(arg.Vals[0]))
		case "tell-requestor":
			o.ProvideRequestorName, o.ProvideRequestorData = true, true
		case "hide-anonymous":
			o.HideAnonymous = true
		default:
			c.Fatalf(s.t, "unknown setting %q", arg.Key)
		}
	}
}

// act carries out one command but for the final fence. It returns what clients that are gone by then
// received.
func (s *scenario) act(c *testkit.Command) (lines []string) {
	r := s.rig
	note := func(name string, more []string) {
		for _, line := range more {
			lines = append(lines, name+" <- "+line)
		}
	}
	switch c.Cmd {
	case "connect":
		s.each(c, r.connect)
	case "online":
		s.each(c, func(name string) {
			r.login(name)
			lines = append(lines, r.fence()...)
		})
	case "send":
		for _, line := range strings.Split(c.Input, "\n") {
			name, text, ok := strings.Cut(line, ": ")
			if !ok {
				c.Fatalf(s.t, "no client in %q", line)
			}
			r.send(name, text)
			lines = append(lines, r.fence()...)
		}
	case "pipeline":
		r.send(c.CmdArgs[0].Key, strings.Split(c.Input, "\n")...)
	case "frame":
		payload := testkit.Must(hex.DecodeString(string(c.Bytes("hex"))))
		r.client(c.CmdArgs[0].Key).Write(peer.AppendFrame(nil, ws.Opcode(c.Int("op")), payload))
	case "oversize":
		s.oversize(c)
	case "verdict":
		s.each(c, func(key string) { s.auth.verdict(s.t, key) })
	case "await":
		s.each(c, func(name string) { note(name, testkit.Must(r.client(name).AwaitClose())) })
	case "expect":
		name := c.CmdArgs[0].Key
		note(name, testkit.Must(r.client(name).Await(c.CmdArgs[1].Key)))
	case "close":
		s.each(c, func(name string) { note(name, r.close(name)) })
	case "reset":
		s.each(c, r.abort)
	case "rules":
		rules := prefixRules{}
		s.each(c, func(name string) { rules.denied = append(rules.denied, name) })
		r.node.UsePermission(rules)
	case "holdings":
		return []string{s.sum()}
	default:
		return []string{c.Unknown()}
	}
	return lines
}

// putIntoStore writes a record past the node, as another program would.
func (s *scenario) putIntoStore(c *testkit.Command) string {
	done := make(chan error)
	w := store.Write{Name: c.Bytes("name"), Data: c.Bytes("data"), Version: int32(c.Int("version")), Deleted: c.HasArg("deleted")}
	if err := s.rig.store.Submit([]store.Write{w}, func(o []store.Outcome) { done <- o[0].Err }); err != nil {
		c.Fatalf(s.t, "%v", err)
	}
	if err := <-done; err != nil {
		c.Fatalf(s.t, "%v", err)
	}
	return "ok"
}

// each calls f with every argument.
func (s *scenario) each(c *testkit.Command, f func(string)) {
	for _, arg := range c.CmdArgs {
		f(arg.Key)
	}
}

func (s *scenario) oversize(c *testkit.Command) {
	m := protocol.Message{Topic: protocol.TopicEvent, Action: protocol.EventEmit, Name: []byte("big")}
	if c.HasArg("names") {
		list := make([][]byte, c.Int("names"))
		for i := range list {
			list[i] = fmt.Appendf(nil, "name/%d", i)
		}
		m = protocol.Message{Topic: protocol.TopicEvent, Action: protocol.EventSubscribe, CorrelationID: []byte("big"), Names: protocol.ListNames(list)}
	} else {
		m.Data = []byte(`"` + strings.Repeat("x", c.Int("bytes")-2) + `"`)
	}
	s.rig.client(c.CmdArgs[0].Key).Write(peer.AppendMessage(nil, &m))
}

// sum returns what the node holds in all. Each loop knows every pattern.
func (s *scenario) sum() string {
	var h Holdings
	for _, one := range s.rig.holdings() {
		h.Subscriptions += one.Subscriptions
		h.Names += one.Names
		h.Users += one.Users
		h.Patterns = one.Patterns
	}
	return fmt.Sprintf("subscriptions=%d patterns=%d names=%d users=%d", h.Subscriptions, h.Patterns, h.Names, h.Users)
}
