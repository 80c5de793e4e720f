package codec

import (
	"strings"
	"testing"

	"deepstream-fast/protocol"
)

// TestBulkActionsAreThoseWithNames lists the bulk requests by their wire names and expects every other action not to be one.
func TestBulkActionsAreThoseWithNames(t *testing.T) {
	bulk := map[protocol.Topic]string{
		protocol.TopicEvent: " SUBSCRIBE UNSUBSCRIBE ",
		protocol.TopicRecord: " NOTIFY HEAD_BULK DELETE_BULK SUBSCRIBE UNSUBSCRIBE SUBSCRIBEANDHEAD SUBSCRIBEANDREAD " +
			"SUBSCRIBECREATEANDREAD SUBSCRIBECREATEANDUPDATE ",
		protocol.TopicRPC:      " PROVIDE UNPROVIDE ",
		protocol.TopicPresence: " QUERY SUBSCRIBE UNSUBSCRIBE ",
	}
	found := 0
	for topic := protocol.Topic(-1); topic <= protocol.TopicError; topic++ {
		for action := protocol.Action(-2); action < 200; action++ {
			want := strings.Contains(bulk[topic], " "+action.Name(topic)+" ")
			if want {
				found++
			}
			if Bulk(topic, action) != want {
				t.Errorf("Bulk(%v, %s) = %v", topic, action.Name(topic), !want)
			}
			if schemaOf(topic) != nil {
				checkIsBulk(t, topic, action, want)
			}
		}
	}
	if found != 16 {
		t.Errorf("%d bulk actions, want 16: a wire name is misspelled", found)
	}
}

// checkIsBulk looks at the first bytes of a small message and of one whose lengths take three bytes.
func checkIsBulk(t *testing.T, topic protocol.Topic, action protocol.Action, want bool) {
	t.Helper()
	for _, size := range []int{1, 20_000} {
		m := protocol.Message{Topic: topic, Action: action, Names: protocol.ListNames([][]byte{make([]byte, size)})}
		b := Append(nil, &m)
		if got := IsBulk(b[:min(len(b), PrefixBytes)]); got != want {
			t.Errorf("a name of %d bytes in %v %s: IsBulk = %v", size, topic, action.Name(topic), got)
		}
	}
}

// TestIsBulkNeedsThePlainOrder holds that anything unusual is not bulk, at any length.
func TestIsBulkNeedsThePlainOrder(t *testing.T) {
	plain := unhex(t, "10 1004 1a0c 0803 1a0130 3a0161 3a026263")
	for i := range plain {
		if got := IsBulk(plain[:i]); got != (i >= 7) {
			t.Errorf("IsBulk of %d bytes = %v", i, got)
		}
	}
	for _, in := range []string{
		"", "ff", "ffffffffffffffffffffffffffffffffffff",
		"10 1a0c 0803 1a0130 3a0161 3a026263 1004", // message before topic
		"10 1004 1a0c 1a0130 0803 3a0161 3a026263", // action not first
		"11 108400 1a0c 0803 1a0130 3a0161 3a026263",
		"06 1002 1a02 0803", // not a topic with names
		"07 1004 1a03 088303",
	} {
		if IsBulk(unhex(t, in)) {
			t.Errorf("IsBulk(%s)", in)
		}
	}
}
