package presence

import (
	"testing"

	"deepstream-fast/internal/testkit"
	"deepstream-fast/protocol"
)

// machine runs the commands of a scenario file against a Directory and lists their effects.
type machine struct {
	testkit.Transcript
	directory *Directory
}

func (m *machine) Send(to protocol.ConnID, msg *protocol.Message) { m.Transcript.Send(to, msg) }

func (m *machine) Announce(user []byte, _ protocol.ConnID, joined bool) {
	if joined {
		m.Addf("join %q", user)
	} else {
		m.Addf("leave %q", user)
	}
}

func (m *machine) run(c *testkit.Command) string {
	switch c.Cmd {
	case "hide-anonymous":
		m.directory = New(Options{HideAnonymous: true}, m)
	case "login":
		m.directory.Login(c.Conn("conn"), c.Bytes("user"))
	case "logout":
		m.directory.Logout(c.Conn("conn"), c.Bytes("user"))
	case "query-all":
		m.directory.QueryAll(c.Conn("conn"), c.Bytes("user"))
	case "query":
		m.directory.Query(c.Conn("conn"), c.Bytes("id"), protocol.ListNames(c.List("names")))
	case "online":
		m.Addf("%d", m.directory.Len())
	default:
		return c.Unknown()
	}
	return m.Take()
}

func TestScenarios(t *testing.T) {
	testkit.RunScenarios(t, func(*testing.T) func(*testkit.Command) string {
		m := &machine{}
		m.directory = New(Options{}, m)
		return m.run
	})
}
