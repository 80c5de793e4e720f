package listen

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"deepstream-fast/protocol"
)

// TestScenarios runs testdata/scenarios. The commands, and what they stand for:
//
//	new [record] [random] [key=value…]   a fresh Home; options as durations and counts
//	subscribe, unsubscribe NAME [LOOP]   first or last subscriber on a loop (0)
//	listen CONN PATTERN [offer=no]       LISTEN, then Offer of all subscribed names
//	offer CONN PATTERN NAME              Offer of one name
//	unlisten CONN PATTERN · close CONN   one Step; budget=N bounds it, "step" goes on
//	accept, reject CONN PATTERN NAME     the listener's answer
//	advance DURATION                     time passes
//	turn                                 a turn with the budget of "new turn=N"; else each command is one
//	has NAME · stats                     queries
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata/scenarios", func(t *testing.T, path string) {
		s := &scenario{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			out := s.run(t, d)
			s.node.check(t)
			return out
		})
	})
}

// scenario is the state of one file.
type scenario struct {
	node    *testNode
	removal *Removal
}

func (s *scenario) run(t *testing.T, d *datadriven.TestData) (out string) {
	if d.Cmd == "new" {
		s.create(t, d)
		return "ok\n"
	}
	n := s.node
	if n.home.perTurn == TurnBudget {
		n.home.Turn()
	}
	arg := func(i int) string { return d.CmdArgs[i].Key }
	conn := func() protocol.ConnID { return protocol.ConnID(number(t, arg(0))) }
	loop := 0
	if (d.Cmd == "subscribe" || d.Cmd == "unsubscribe") && len(d.CmdArgs) > 1 {
		loop = number(t, arg(1))
	}
	switch d.Cmd {
	case "subscribe":
		n.subscribe(arg(0), loop)
	case "unsubscribe":
		n.unsubscribe(arg(0), loop)
	case "listen":
		s.listen(t, conn(), arg(1), !d.HasArg("offer"))
	case "offer":
		n.home.Offer(mustCompile(t, arg(1)), []byte(arg(2)), n.subs[arg(2)])
	case "unlisten":
		if s.removal = n.home.Unlisten(conn(), []byte(arg(1))); s.removal == nil {
			return "not registered\n"
		}
		s.step(t, d)
	case "close":
		s.removal = n.home.Closed(conn())
		s.step(t, d)
	case "step":
		s.step(t, d)
	case "accept":
		n.home.Accept(conn(), []byte(arg(1)), []byte(arg(2)))
	case "reject":
		n.home.Reject(conn(), []byte(arg(1)), []byte(arg(2)))
	case "advance":
		n.advance(duration(t, arg(0)))
	case "turn":
		if n.home.Turn() {
			defer func() { out += "more to do\n" }()
		}
	case "has":
		return fmt.Sprintf("%v\n", n.home.HasProvider([]byte(arg(0))))
	case "stats":
		return fmt.Sprintf("%+v\n", n.home.Stats())
	default:
		t.Fatalf("%s: unknown command %q", d.Pos, d.Cmd)
	}
	return n.takeLog()
}

func (s *scenario) create(t *testing.T, d *datadriven.TestData) {
	actions, opts := Event, Options{Ordered: true, RematchInterval: time.Second}
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "record":
			actions = Record
		case "random":
			opts.Ordered = false
		case "rematch":
			opts.RematchInterval = duration(t, a.Vals[0])
		case "cooldown":
			opts.MatchCooldown = duration(t, a.Vals[0])
		case "response":
			opts.ResponseTimeout = duration(t, a.Vals[0])
		case "patterns":
			opts.PatternsPerConnMax = number(t, a.Vals[0])
		case "listeners":
			opts.ListenersMax = number(t, a.Vals[0])
		case "names":
			opts.NamesMax = number(t, a.Vals[0])
		case "turn":
		default:
			t.Fatalf("%s: unknown option %q", d.Pos, a.Key)
		}
	}
	s.node = newTestNode(actions, opts, 1)
	s.node.log = []string{}
	if d.HasArg("turn") {
		d.ScanArgs(t, "turn", &s.node.home.perTurn)
		s.node.home.budget = s.node.home.perTurn
	}
}

func (s *scenario) listen(t *testing.T, conn protocol.ConnID, text string, offer bool) {
	n, p := s.node, mustCompile(t, text)
	added, err := n.home.Listen(conn, p)
	switch {
	case err != nil:
		n.note("%v", err)
	case !added:
		n.note("already registered")
	case offer:
		for _, name := range n.sortedSubs() {
			n.home.Offer(p, []byte(name), n.subs[name])
		}
	}
}

func (s *scenario) step(t *testing.T, d *datadriven.TestData) {
	budget := 1000
	d.MaybeScanArgs(t, "budget", &budget)
	if s.removal.Step(budget) == 0 {
		s.node.note("more to do")
	}
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(strings.TrimSpace(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}
