package session

import (
	"cmp"
	"flag"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"deepstream-fast/fuzz/peer"
	"deepstream-fast/protocol"
)

var seedFlag = flag.Uint64("seed", 0, "script of TestSameOnAnyNumberOfLoops; 0: five of them")

// TestSameOnAnyNumberOfLoops runs one script of random operations with one loop and with eight.
//
// Equal must be, per client: the sequence of messages about one subject (see subject), where a
// delivered event is about its sender as well, and what is said of one call is about that call. That
// is what spec/events.md §5, rpc.md §5 and G2 of connection.md promise. The rest may differ, because
// nobody promises it: subjects have homes of their own, so their messages overtake each other; a
// call goes to a random provider, so requests are compared over all providers together; two senders
// interleave as the sockets are read.
//
// Steps are fenced against each other, so that which subscribers, providers and users a step meets
// does not depend on timing. Within a step clients pipeline many messages at the same time.
func TestSameOnAnyNumberOfLoops(t *testing.T) {
	seeds := []uint64{*seedFlag}
	if *seedFlag == 0 {
		seeds = []uint64{1, 2, 3, rand.Uint64N(1 << 32), rand.Uint64N(1 << 32)}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			script := newScript(seed)
			one, eight := play(t, 1, script), play(t, 8, script)
			if len(one) < 50 {
				t.Fatalf("a script of %d steps had effects on %d subjects only", len(script), len(one))
			}
			for _, key := range slices.Sorted(maps.Keys(one)) {
				if !slices.Equal(one[key], eight[key]) {
					t.Errorf("%s\n1 loop:  %q\n8 loops: %q", key, one[key], eight[key])
				}
				delete(eight, key)
			}
			for key, lines := range eight {
				t.Errorf("%s only with 8 loops: %q", key, lines)
			}
			if t.Failed() {
				t.Logf("repeat with -seed=%d", seed)
			}
		})
	}
}

// step is what some clients do at the same time: messages per client, each in one write. A client
// without messages connects and logs in, or goes if it is there.
type step map[string][]string

const (
	scriptSteps   = 60
	scriptClients = 7
	scriptNames   = 9
)

// script makes steps; it knows nothing of a server but who is connected.
type script struct {
	rnd    *rand.Rand
	online map[string]bool
	serial int // numbers emits and calls
}

func newScript(seed uint64) []step {
	s := script{rnd: rand.New(rand.NewPCG(seed, 0)), online: map[string]bool{}}
	steps := make([]step, scriptSteps)
	for i := range steps {
		steps[i] = s.step()
	}
	return steps
}

// step returns either many clients emitting and calling at the same time, or one that changes what
// is subscribed, provided, listened to or online.
func (s *script) step() step {
	who := fmt.Sprint("c", s.rnd.IntN(scriptClients))
	switch {
	case !s.online[who] || s.rnd.IntN(12) == 0:
		s.online[who] = !s.online[who]
		return step{who: nil}
	case s.rnd.IntN(2) == 0:
		return step{who: s.changes()}
	}
	st := step{}
	for c, on := range sorted(s.online) {
		if on {
			st[c] = s.traffic(c)
		}
	}
	return st
}

// sorted yields a map in the order of its keys: the script must be a function of the seed.
func sorted[K cmp.Ordered, V any](m map[K]V) func(yield func(K, V) bool) {
	return func(yield func(K, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}

func (s *script) name() string { return fmt.Sprint("n", s.rnd.IntN(scriptNames)) }

func (s *script) names() string {
	names := make([]string, 1+s.rnd.IntN(4))
	for i := range names {
		names[i] = s.name()
	}
	return strings.Join(names, " ")
}

// changes are pipelined messages of one client about what it wants. Those of one step are of one kind,
// and event subscriptions only come or only go: the home of a name looks at who is subscribed when
// its mail arrives, so a subscription that was ended by then, or a neighbour's, may go unseen.
func (s *script) changes() []string {
	patterns := []string{"n", "[0-4]$", "n[3-8]", "^n1$"}
	kind, coming := s.rnd.IntN(4), s.rnd.IntN(3) > 0
	var texts []string
	for range 1 + s.rnd.IntN(4) {
		on := s.rnd.IntN(3) > 0
		switch kind {
		case 0:
			texts = append(texts, fmt.Sprintf("EVENT %s correlationId=1 names=[%s]", either(coming, "SUBSCRIBE", "UNSUBSCRIBE"), s.names()))
		case 1:
			texts = append(texts, fmt.Sprintf("RPC %s correlationId=2 names=[%s]", either(on, "PROVIDE", "UNPROVIDE"), s.names()))
		case 2:
			texts = append(texts, fmt.Sprintf("EVENT %s name=%q", either(on, "LISTEN", "UNLISTEN"), patterns[s.rnd.IntN(len(patterns))]))
		case 3:
			action := either(on, "SUBSCRIBE", "UNSUBSCRIBE")
			texts = append(texts, fmt.Sprintf("PRESENCE %s correlationId=3 names=[c0 c1 c2]", action), "PRESENCE "+action+"_ALL")
		}
	}
	return texts
}

func either(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

// traffic are pipelined messages of one client that change nothing for others.
func (s *script) traffic(client string) []string {
	var texts []string
	for range 1 + s.rnd.IntN(12) {
		s.serial++
		switch s.rnd.IntN(6) {
		case 0:
			texts = append(texts, fmt.Sprintf("RPC REQUEST name=%s correlationId=%s-%d data=%d", s.name(), client, s.serial, s.serial))
		case 1:
			texts = append(texts, "PRESENCE QUERY_ALL", fmt.Sprintf("PRESENCE QUERY correlationId=%d names=[c0 c1 c9]", s.serial))
		default:
			texts = append(texts, fmt.Sprintf(`EVENT EMIT name=%s data="[\"%s\",%d]"`, s.name(), client, s.serial))
		}
	}
	return texts
}

// play runs a script and returns what was received, by client and subject.
func play(t *testing.T, loops int, script []step) map[string][]string {
	t.Helper()
	r := startRig(t, defaults(loops))
	received := map[string][]string{}
	for _, st := range script {
		for name, texts := range sorted(st) {
			switch {
			case len(texts) > 0:
				r.send(name, texts...)
			case r.clients[name] == nil:
				r.login(name)
			case texts == nil:
				r.close(name)
			}
		}
		for answers := true; answers; {
			answers = false
			for _, line := range r.fence() {
				key, content := judged(line)
				received[key] = append(received[key], content)
				answers = react(r, line) || answers
			}
		}
	}
	for key := range received {
		if strings.HasPrefix(key, "requests ") { // whoever was asked, in whatever order
			slices.Sort(received[key])
		}
	}
	return received
}

// judged returns under which key a line has to be the same in every run, and what of it.
func judged(line string) (key, content string) {
	client, text, _ := strings.Cut(line, " <- ")
	m, err := peer.Parse(text)
	if err != nil {
		return client, text
	}
	switch {
	case m.Topic == protocol.TopicRPC && m.Action == protocol.RPCRequest:
		return fmt.Sprintf("requests %q", m.Name), text
	case m.Topic == protocol.TopicRPC && strings.HasPrefix(string(m.CorrelationID), "c"):
		return fmt.Sprintf("%s RPC call %s", client, m.CorrelationID), text
	case m.Topic == protocol.TopicEvent && m.Action == protocol.EventEmit:
		sender, _, _ := strings.Cut(string(m.Data), ",")
		return fmt.Sprintf("%s from %s", subject(line), sender), text
	case m.Action == protocol.PresenceQueryAllResponse && m.Topic == protocol.TopicPresence:
		return subject(line), strings.Join(sortedNames(m.Names), " ") // sent in no order
	}
	return subject(line), text
}

func sortedNames(names protocol.Names) []string {
	var list []string
	for it := names.Iter(); it.Next(); {
		list = append(list, string(it.Name()))
	}
	slices.Sort(list)
	return list
}

// react answers what a client is asked, always the same to the same question, and reports whether it
// was asked anything. Every provider answers alike, so that it does not matter which one is chosen.
func react(r *rig, line string) bool {
	client, text, _ := strings.Cut(line, " <- ")
	m, err := peer.Parse(text)
	if err != nil || r.clients[client] == nil {
		return false
	}
	switch {
	case m.Topic == protocol.TopicRPC && m.Action == protocol.RPCRequest:
		r.send(client, answerTo(&m)...)
	case m.Topic == protocol.TopicEvent && m.Action == protocol.EventSubscriptionForPatternFound:
		answer := "LISTEN_ACCEPT"
		if crc32.ChecksumIEEE([]byte(client+text))%3 == 0 {
			answer = "LISTEN_REJECT"
		}
		r.send(client, fmt.Sprintf("EVENT %s name=%q subscription=%q", answer, m.Name, m.Subscription))
	default:
		return false
	}
	return true
}

// answerTo returns a provider's reaction to a REQUEST, by its data.
func answerTo(m *protocol.Message) []string {
	answer := func(action string) string {
		return fmt.Sprintf("RPC %s name=%q correlationId=%q", action, m.Name, m.CorrelationID)
	}
	switch m.Data[len(m.Data)-1] % 4 {
	case 0:
		return []string{answer("REJECT")}
	case 1:
		return []string{answer("REQUEST_ERROR") + " data=1"}
	case 2:
		return []string{answer("RESPONSE")}
	}
	return []string{answer("ACCEPT"), answer("RESPONSE") + " data=" + string(m.Data)}
}
