package session

import (
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"deepstream-fast/fuzz/peer"
	"deepstream-fast/protocol"
	"deepstream-fast/store/memory"
	"deepstream-fast/store/pebble"
)

// recordVariants are nodes that must look the same to every client.
var recordVariants = []struct {
	name  string
	loops int
	start func(t *testing.T, o *Options)
}{
	{"loops=1/store=none", 1, func(*testing.T, *Options) {}},
	{"loops=8/store=none", 8, func(*testing.T, *Options) {}},
	{"loops=1/store=memory", 1, func(_ *testing.T, o *Options) { o.Store = memory.New(memory.Options{}) }},
	{"loops=8/store=memory", 8, func(_ *testing.T, o *Options) { o.Store = memory.New(memory.Options{}) }},
	{"loops=8/store=memory/nothing cached", 8, func(_ *testing.T, o *Options) {
		o.Store, o.CacheBytesMax = memory.New(memory.Options{}), 1
	}},
	{"loops=1/store=pebble", 1, openPebble},
	{"loops=8/store=pebble", 8, openPebble},
}

func openPebble(t *testing.T, o *Options) {
	t.Helper()
	s, err := pebble.Open(pebble.Options{Dir: t.TempDir(), CacheBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	o.Store = s
}

// TestRecordsLookTheSame runs one script of random record operations on nodes of one and of eight
// loops, that keep nothing, in memory and on disk, with everything cached and nothing.
//
// Equal must be, per client: the sequence of messages about one record. Write acknowledgements are
// apart from that, since they come when the store is done, and so is what is
// answered without asking for the record. As in TestSameOnAnyNumberOfLoops steps are fenced, and within a step clients pipeline at
// the same time; there each writes records of its own, because nobody promises which of two
// connections is read first.
func TestRecordsLookTheSame(t *testing.T) {
	seeds := []uint64{*seedFlag}
	if *seedFlag == 0 {
		seeds = []uint64{1, rand.Uint64N(1 << 32)}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			script := newRecordScript(seed)
			var first map[string][]string
			for _, v := range recordVariants {
				o := defaults(v.loops)
				v.start(t, &o.session)
				got := playRecords(t, o, script)
				if first == nil {
					first = got
					if len(got) < 50 {
						t.Fatalf("a script of %d steps had effects on %d subjects only", len(script), len(got))
					}
					continue
				}
				compareRuns(t, v.name, first, got)
			}
			if t.Failed() {
				t.Logf("repeat with -seed=%d", seed)
			}
		})
	}
}

func compareRuns(t *testing.T, name string, want, got map[string][]string) {
	t.Helper()
	keys := maps.Clone(want)
	maps.Copy(keys, got)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		same := 0
		for same < min(len(want[key]), len(got[key])) && want[key][same] == got[key][same] {
			same++
		}
		if len(want[key])+len(got[key]) > 2*same {
			t.Errorf("%s: from message %d on\n%s: %q\n%s: %q", key, same, recordVariants[0].name, want[key][same:], name, got[key][same:])
		}
	}
}

const recordNames = 2 * scriptClients

// recordScript makes steps of record operations.
type recordScript struct{ script }

func newRecordScript(seed uint64) []step {
	s := recordScript{script{rnd: rand.New(rand.NewPCG(seed, 1)), online: map[string]bool{}}}
	steps := make([]step, scriptSteps)
	for i := range steps {
		steps[i] = s.step()
	}
	return steps
}

// clientName names every other client so that it knows PATCH_MULTI.
func clientName(i int) string { return fmt.Sprint(either(i%2 == 0, "new", "old"), i) }

// step returns a client that comes or goes, one that does anything, or all that write at once.
func (s *recordScript) step() step {
	who := clientName(s.rnd.IntN(scriptClients))
	switch {
	case !s.online[who] || s.rnd.IntN(12) == 0:
		s.online[who] = !s.online[who]
		return step{who: nil}
	case s.rnd.IntN(3) > 0:
		return step{who: s.alone()}
	}
	st := step{}
	for i := range scriptClients {
		if name := clientName(i); s.online[name] {
			st[name] = s.together(i)
		}
	}
	return st
}

func (s *recordScript) name() string { return fmt.Sprint("r", s.rnd.IntN(recordNames)) }

// names returns a few names, or so many that they are worked off in slices.
func (s *recordScript) names() string {
	if s.rnd.IntN(4) > 0 {
		return strings.Join([]string{s.name(), s.name(), s.name()}[:1+s.rnd.IntN(3)], " ")
	}
	names := make([]string, 3*recordNames)
	for i := range names {
		names[i] = fmt.Sprint("r", i)
	}
	return strings.Join(names, " ")
}

// alone are pipelined messages of one client while nobody else does anything. Those of one step only
// begin subscriptions or only end them, or are about listening: a subscription begins on the client's
// loop at once, while a DELETE or NOTIFY before it may still wait for the store.
func (s *recordScript) alone() (texts []string) {
	switch s.rnd.IntN(6) {
	case 0:
		return []string{fmt.Sprintf("RECORD UNSUBSCRIBE correlationId=u names=[%s]", s.names())}
	case 1:
		pattern := []string{"r", "[0-4]$", "^r1$"}[s.rnd.IntN(3)]
		return []string{fmt.Sprintf("RECORD %s name=%q", either(s.rnd.IntN(3) > 0, "LISTEN", "UNLISTEN"), pattern)}
	}
	coming := s.rnd.IntN(3) > 0
	for range 1 + s.rnd.IntN(8) {
		s.serial++
		switch kind := s.rnd.IntN(3); {
		case kind > 0:
			texts = append(texts, s.write(s.name()))
		case coming:
			action := []string{"SUBSCRIBECREATEANDREAD", "SUBSCRIBEANDREAD", "SUBSCRIBEANDHEAD", "SUBSCRIBE"}[s.rnd.IntN(4)]
			texts = append(texts, fmt.Sprintf("RECORD %s correlationId=%d names=[%s]", action, s.serial, s.names()))
		case s.rnd.IntN(2) == 0:
			texts = append(texts, "RECORD DELETE name="+s.name())
		default:
			texts = append(texts, fmt.Sprintf("RECORD NOTIFY correlationId=%d names=[%s]", s.serial, s.names()))
		}
	}
	return texts
}

// together are pipelined messages of one client about records that nobody else touches.
func (s *recordScript) together(client int) (texts []string) {
	for range 1 + s.rnd.IntN(8) {
		s.serial++
		texts = append(texts, s.write(fmt.Sprint("r", client+scriptClients*s.rnd.IntN(2))))
	}
	return texts
}

// write returns a write or a read of one record, often with the wrong version.
func (s *recordScript) write(name string) string {
	version := fmt.Sprint(s.rnd.IntN(12))
	if s.rnd.IntN(3) > 0 {
		version = "-1"
	}
	ack := either(s.rnd.IntN(3) == 0, fmt.Sprintf(" isWriteAck correlationId=w%d", s.serial), "")
	head := fmt.Sprintf("name=%s version=%s%s", name, version, ack)
	switch s.rnd.IntN(9) {
	case 0:
		return "RECORD READ name=" + name
	case 1:
		return "RECORD HEAD name=" + name
	case 2:
		return fmt.Sprintf("RECORD UPDATE %s data=`{\"n\":%d}`", head, s.serial)
	case 3:
		return fmt.Sprintf("RECORD PATCH %s path=a.b%d data=%d", head, s.rnd.IntN(3), s.serial)
	case 4:
		return fmt.Sprintf("RECORD ERASE %s path=a.b%d", head, s.rnd.IntN(3))
	case 5:
		return fmt.Sprintf("RECORD PATCH_MULTI %s data=`[{\"path\":\"m\",\"data\":%d},{\"path\":\"a\"}]`", head, s.serial)
	case 6:
		return fmt.Sprintf("RECORD CREATEANDUPDATE %s data=`[%d]`", head, s.serial)
	case 7:
		return fmt.Sprintf("RECORD UPDATE %s data=`{`", head)
	}
	return fmt.Sprintf("RECORD CREATEANDPATCH %s path=c data=%d", head, s.serial)
}

// playRecords runs a script and returns what was received, by client and subject.
func playRecords(t *testing.T, o rigOptions, script []step) map[string][]string {
	t.Helper()
	r := startRig(t, o)
	received := map[string][]string{}
	for _, st := range script {
		for name, texts := range sorted(st) {
			switch {
			case len(texts) > 0:
				r.send(name, texts...)
			case r.clients[name] == nil:
				r.login(name)
			default:
				r.close(name)
			}
		}
		for answers := true; answers; {
			answers = false
			for _, line := range r.fence() {
				for _, single := range expandVersions(line) {
					key := recordSubject(single)
					received[key] = append(received[key], single)
				}
				answers = provideRecord(r, line) || answers
			}
		}
	}
	r.stop()
	return received
}

// recordSubject is subject, but for what comes when the store or all homes are done, and for what is
// said without looking at the record.
func recordSubject(line string) string {
	m, err := peer.Parse(line[strings.Index(line, " <- ")+4:])
	switch {
	case err != nil:
		return subject(line)
	case m.Action == protocol.RecordWriteAcknowledgement, m.IsAck && m.Topic == protocol.TopicRecord:
		return fmt.Sprintf("%s ack %s", subject(line), m.CorrelationID)
	case m.Topic != protocol.TopicRecord:
		return subject(line)
	}
	switch m.Action {
	case protocol.RecordMultipleSubscriptions, protocol.RecordInvalidMessageData,
		protocol.RecordSubscriptionHasProvider, protocol.RecordSubscriptionHasNoProvider:
		return fmt.Sprintf("%s %d", subject(line), m.Action)
	}
	return subject(line)
}

// provideRecord answers the question whether a client provides a record, always the same to the same.
func provideRecord(r *rig, line string) bool {
	client, text, _ := strings.Cut(line, " <- ")
	m, err := peer.Parse(text)
	if err != nil || r.clients[client] == nil || m.Action != protocol.RecordSubscriptionForPatternFound || m.Topic != protocol.TopicRecord {
		return false
	}
	answer := either(crc32.ChecksumIEEE([]byte(client+text))%3 == 0, "LISTEN_REJECT", "LISTEN_ACCEPT")
	r.send(client, fmt.Sprintf("RECORD %s name=%q subscription=%q", answer, m.Name, m.Subscription))
	return true
}
