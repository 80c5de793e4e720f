package rpc

import (
	"fmt"
	"testing"
	"time"

	"deepstream-fast/internal/testkit"
	"deepstream-fast/protocol"
)

var timerNames = map[uint8]string{timerAck: "ack", timerEnd: "end", timerRetired: "retired"}

// machine runs the commands of a scenario file against a Home and lists their effects.
type machine struct {
	testkit.Transcript
	clock testkit.Clock
	home  *Home
	left  *Removal // of the last close
	picks []int    // what Random returns next; then 0
}

func (m *machine) Send(to protocol.ConnID, msg *protocol.Message) { m.Transcript.Send(to, msg) }

func (m *machine) StartTimer(after time.Duration, kind uint8, key uint64) TimerID {
	id := m.clock.Start(after, kind, key)
	m.Addf("start %s#%d %v", timerNames[kind], id, after)
	return TimerID(id)
}

func (m *machine) StopTimer(id TimerID) {
	if t, ok := m.clock.Stop(uint64(id)); ok {
		m.Addf("stop %s#%d", timerNames[t.Kind], id)
	} else {
		m.Addf("stop of a timer that is not pending: %d", id)
	}
}

func (m *machine) Random(n int) int {
	if len(m.picks) == 0 {
		return 0
	}
	pick := m.picks[0]
	m.picks = m.picks[1:]
	return pick % n
}

func (m *machine) run(c *testkit.Command) string {
	switch c.Cmd {
	case "limits":
		opts := Options{CallsMax: c.Int("calls"), CallsPerConnMax: c.Int("perConn"), BytesMax: c.Int("bytes")}
		opts.ProvidersPerCallMax, opts.RetiredMax = c.Int("providers"), c.Int("retired")
		m.home = NewHome(opts, m)
	case "random":
		m.picks = append(m.picks, c.Int("pick"))
	case "provide":
		m.home.Provide(c.Conn("conn"), c.Bytes("name"))
	case "unprovide":
		m.home.Unprovide(c.Conn("conn"), c.Bytes("name"))
	case "request":
		m.home.Request(Request{
			From: c.Conn("conn"), Name: c.Bytes("name"), CorrelationID: c.Bytes("id"), Data: c.Bytes("data"),
			RequestorName: c.Bytes("requestorName"), RequestorData: c.Bytes("requestorData"),
		})
	case "ACCEPT", "REJECT", "RESPONSE", "REQUEST_ERROR":
		action, _ := protocol.ActionByName(protocol.TopicRPC, c.Cmd)
		m.home.Answer(c.Conn("conn"), action, c.Bytes("name"), c.Bytes("id"), c.Bytes("data"))
	case "close":
		m.left = m.home.Closed(c.Conn("conn"))
		m.step(c)
	case "step":
		m.step(c)
	case "advance":
		m.clock.Advance(testkit.Must(time.ParseDuration(string(c.Bytes("by")))), func(t testkit.Timer) {
			m.Addf("fire %s#%d", timerNames[t.Kind], t.ID)
			m.home.Fired(t.Kind, t.Key)
		})
	case "stats":
		s := m.home.Stats()
		m.Addf("names=%d providers=%d conns=%d calls=%d retired=%d bytes=%d refused=%d timers=%d",
			s.Names, s.Providers, s.Conns, s.Calls, s.Retired, s.Bytes, s.Refused, m.clock.Len())
	default:
		return c.Unknown()
	}
	if err := m.home.verify(); err != nil {
		return fmt.Sprintf("broken: %v", err)
	}
	return m.Take()
}

// step goes on with the last close, to its end or as far as budget says.
func (m *machine) step(c *testkit.Command) {
	budget := 1 << 20
	if c.HasArg("budget") {
		budget = c.Int("budget")
	}
	if m.left.Step(budget) == 0 {
		m.Addf("more to do")
	}
}

func TestScenarios(t *testing.T) {
	testkit.RunScenarios(t, func(*testing.T) func(*testkit.Command) string {
		m := &machine{}
		m.home = NewHome(Options{}, m)
		return m.run
	})
}
