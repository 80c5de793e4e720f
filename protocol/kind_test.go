package protocol

import (
	"math"
	"testing"
)

func TestEveryActionHasAPlaceOfItsOwn(t *testing.T) {
	seen := map[Kind]string{}
	for topic := TopicParser; topic < kindTopics; topic++ {
		for action, name := range actionNames[topic] {
			k := KindOf(topic, action)
			if other := seen[k]; other != "" || int(k) >= Kinds {
				t.Errorf("%v %s has place %d, as %s", topic, name, k, other)
			}
			seen[k] = topic.String() + " " + name
			if a, ok := k.Action(); k.Topic() != topic || a != action || !ok {
				t.Errorf("place %d of %v %s is that of %v %d", k, topic, name, k.Topic(), a)
			}
			if tn, an := k.Names(); tn != topic.String() || an != name {
				t.Errorf("%v %s is called %s %s", topic, name, tn, an)
			}
		}
	}
	if len(seen) < 100 {
		t.Errorf("only %d actions", len(seen))
	}
}

func TestUnknownNumbersShareAPlace(t *testing.T) {
	for _, a := range []Action{-1, 127, 128, 160, 1 << 16, math.MaxInt32, math.MinInt32} {
		k := KindOf(TopicEvent, a)
		if _, ok := k.Action(); ok || k.Topic() != TopicEvent {
			t.Errorf("action %d has place %d of %v", a, k, k.Topic())
		}
		if _, name := k.Names(); name != Undefined {
			t.Errorf("action %d is called %s", a, name)
		}
	}
	for _, topic := range []Topic{-1, 0, TopicMonitoring, TopicError, math.MaxInt32, math.MinInt32} {
		if k := KindOf(topic, EventEmit); k.Topic() != TopicUnknown || int(k) >= Kinds {
			t.Errorf("topic %d has place %d", topic, k)
		}
	}
	if _, name := KindOf(TopicRPC, 3).Names(); name != Undefined { // a gap between known actions
		t.Errorf("RPC 3 is called %s", name)
	}
}

func BenchmarkKindOf(b *testing.B) {
	var table [Kinds]uint64
	topics := [4]Topic{TopicEvent, TopicRecord, TopicRPC, TopicPresence}
	actions := [4]Action{EventEmit, RecordUpdate, RPCMessageDenied, PresenceQuery}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		table[KindOf(topics[i&3], actions[i&3])%Kinds]++
		i++
	}
	if table[KindOf(TopicEvent, EventEmit)] == 0 {
		b.Error("nothing was counted")
	}
}
