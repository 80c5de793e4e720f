package record

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"deepstream-fast/internal/testkit"
	"deepstream-fast/protocol"
	"deepstream-fast/record/cache"
)

var errStore = errors.New("disk on fire")

// machine runs the commands of a scenario file against a Home and lists their effects. The store's
// answers are commands; its questions are numbered as they come.
type machine struct {
	testkit.Transcript
	clock       testkit.Clock
	cache       *cache.Cache
	home        *Home
	asked       []uint64        // tokens, by number of the question from 1
	refusing    bool            // the store takes nothing
	subscribers map[string]bool // names that have some
}

func (m *machine) Send(to protocol.ConnID, msg *protocol.Message) { m.Transcript.Send(to, msg) }

func (m *machine) Broadcast(_ []byte, except protocol.ConnID, msg *protocol.Message, full []byte) {
	line := fmt.Sprintf("all but %d <- %s", except.Slot(), msg)
	if full != nil {
		line += fmt.Sprintf(" full=%q", full)
	}
	m.Addf("%s", line)
}

func (m *machine) DropSubscribers(name []byte, spared []protocol.ConnID) {
	line := fmt.Sprintf("drop subscribers of %q", name)
	for _, conn := range spared {
		line += fmt.Sprintf(" but %d", conn.Slot())
	}
	m.Addf("%s", line)
}

func (m *machine) Unsubscribe(conn protocol.ConnID, name []byte) {
	m.Addf("unsubscribe %d from %q", conn.Slot(), name)
}

func (m *machine) HasSubscribers(name []byte) bool { return m.subscribers[string(name)] }

func (m *machine) ask(token uint64, format string, args ...any) bool {
	if m.refusing {
		m.Addf("refused "+format, args...)
		return false
	}
	m.asked = append(m.asked, token)
	m.Addf("ask#%d "+format, append([]any{len(m.asked)}, args...)...)
	return true
}

func (m *machine) Load(name []byte, token uint64) bool { return m.ask(token, "load %q", name) }

func (m *machine) LoadHeads(names [][]byte, token uint64) bool {
	return m.ask(token, "load heads %q", names)
}

func (m *machine) Save(s *Save, token uint64) bool {
	if s.Deleted {
		return m.ask(token, "save tombstone %q@%d", s.Name, s.Version)
	}
	return m.ask(token, "save %q@%d %s", s.Name, s.Version, s.Data)
}

func (m *machine) NotifyDone(token uint64) { m.Addf("notify %d done", token) }

func (m *machine) StartTimer(after time.Duration, kind uint8) { m.clock.Start(after, kind, 0) }

func (m *machine) start(opts Options) {
	m.cache = cache.New(cache.Options{})
	m.home = NewHome(opts, m.cache, m)
}

// judge returns nil, or a judge that answers as the command says.
func (m *machine) judge(c *testkit.Command) Judge {
	if !c.HasArg("judge") {
		return nil
	}
	verdict := action(c, "judge")
	return func(old, next []byte) protocol.Action {
		m.Addf("judge old=%s next=%s", old, next)
		return verdict
	}
}

// action returns the RECORD action named by an argument, or 0 if it is absent or "allow".
func action(c *testkit.Command, key string) protocol.Action {
	a, _ := protocol.ActionByName(protocol.TopicRecord, string(c.Bytes(key)))
	return a
}

func (m *machine) request(c *testkit.Command) Request {
	return Request{From: c.Conn("conn"), Name: c.Bytes("name"), CorrelationID: c.Bytes("id"), Judge: m.judge(c)}
}

func (m *machine) write(c *testkit.Command, a protocol.Action) {
	w := Write{
		Request: m.request(c), Action: a, Path: c.Bytes("path"), Data: c.Bytes("data"), Create: action(c, "create"),
		WantsAck: c.HasArg("ack"),
	}
	if w.WantsAck {
		w.CorrelationID = c.Bytes("ack")
	}
	if w.HasVersion = c.HasArg("version"); w.HasVersion {
		w.Version = int32(c.Int("version"))
	}
	m.home.Write(w)
}

func (m *machine) options(c *testkit.Command) (o Options) {
	for _, arg := range c.CmdArgs {
		n := 0
		if len(arg.Vals) > 0 {
			n, _ = strconv.Atoi(arg.Vals[0])
		}
		switch arg.Key {
		case "noStorage":
			o.NoStorage = true
		case "exclude":
			o.ExclusionPrefixes = arg.Vals
		case "hot":
			o.HotPathPrefixes = arg.Vals
		case "recordBytes":
			o.RecordBytesMax = n
		case "writesPerRecord":
			o.WritesPerRecordMax = n
		case "queue":
			o.QueueMax = n
		case "queueBytes":
			o.QueueBytesMax = n
		case "saves":
			o.SavesMax = n
		case "cacheOnlyBytes":
			o.CacheOnlyBytesMax = n
		case "unsaved":
			o.UnsavedMax = n
		case "headsPerLoad":
			o.HeadsPerLoadMax = n
		default:
			c.Unknown()
		}
	}
	return o
}

func (m *machine) failure(c *testkit.Command) error {
	if c.HasArg("err") {
		return errStore
	}
	return nil
}

func (m *machine) storeAnswer(c *testkit.Command) {
	if n := c.Int("ask"); n > len(m.asked) {
		m.Addf("nobody asked %d questions", n)
		return
	}
	token := m.asked[c.Int("ask")-1]
	switch c.Cmd {
	case "loaded":
		r := Loaded{Err: m.failure(c), Exists: c.HasArg("version"), Data: c.Bytes("data")}
		if r.Exists {
			r.Version = int32(c.Int("version"))
		}
		m.home.Loaded(token, r)
	case "heads-loaded":
		var versions []int32
		for _, v := range c.List("versions") {
			versions = append(versions, int32(testkit.Must(strconv.Atoi(string(v)))))
		}
		m.home.HeadsLoaded(token, versions, m.failure(c))
	case "saved":
		m.home.Saved(token, m.failure(c))
	}
}

func (m *machine) run(c *testkit.Command) string {
	switch c.Cmd {
	case "options":
		m.start(m.options(c))
	case "store":
		m.refusing = c.HasArg("refuses")
	case "subscribers":
		m.subscribers = map[string]bool{}
		for _, name := range c.List("names") {
			m.subscribers[string(name)] = true
		}
	case "evict":
		if t := m.home.find(c.Bytes("name")); t != nil && t.pinned {
			return "pinned"
		}
		m.cache.Remove(c.Bytes("name"))
	case "cached":
		e, ok := m.cache.Get(c.Bytes("name"))
		m.Addf("%v exists=%v version=%d %s", ok, e.Exists, e.Version, e.Data)
	case "READ":
		m.home.Read(m.request(c))
	case "HEAD":
		m.home.Head(m.request(c))
	case "DELETE":
		m.home.Delete(m.request(c))
	case "SUBSCRIBECREATEANDREAD", "SUBSCRIBEANDREAD":
		a, _ := protocol.ActionByName(protocol.TopicRecord, c.Cmd)
		m.home.SubscribeRead(Subscribe{Request: m.request(c), Action: a, Fresh: !c.HasArg("again"), Create: action(c, "create")})
	case "SUBSCRIBEANDHEAD":
		m.home.SubscribeHead(c.Conn("conn"), c.List("names"))
	case "NOTIFY":
		m.home.Notify(c.Conn("conn"), uint64(c.Int("token")), c.List("names"))
	case "inspect":
		m.home.Inspect(c.Bytes("name"), func(s Snapshot) {
			m.Addf("version=%d data=%s failed=%s", s.Version, s.Data, s.Failed.Name(protocol.TopicRecord))
		})
	case "UPDATE", "PATCH", "ERASE", "PATCH_MULTI", "CREATEANDUPDATE", "CREATEANDPATCH":
		a, _ := protocol.ActionByName(protocol.TopicRecord, c.Cmd)
		m.write(c, a)
	case "loaded", "heads-loaded", "saved":
		m.storeAnswer(c)
	case "advance":
		m.clock.Advance(testkit.Must(time.ParseDuration(string(c.Bytes("by")))), func(t testkit.Timer) {
			m.home.Fired(t.Kind)
		})
	case "stats":
		m.Addf("%s", strings.Trim(fmt.Sprintf("%+v", m.home.Stats()), "{}"))
	default:
		return c.Unknown()
	}
	if err := m.home.verify(); err != nil {
		return fmt.Sprintf("broken: %v", err)
	}
	return m.Take()
}

func TestScenarios(t *testing.T) {
	testkit.RunScenarios(t, func(*testing.T) func(*testkit.Command) string {
		m := &machine{}
		m.start(Options{})
		return m.run
	})
}
