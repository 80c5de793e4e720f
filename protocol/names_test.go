package protocol

import "testing"

func TestStringOfMessages(t *testing.T) {
	text := func(s string) []byte { return []byte(s) }
	for _, c := range []struct {
		m    Message
		want string
	}{
		{Message{Topic: TopicConnection, Action: ConnectionPing}, "CONNECTION PING"},
		{Message{Topic: 77, Action: -3}, "77 -3"},
		{
			Message{Topic: TopicEvent, Action: EventSubscribe, CorrelationID: text("0"), Names: ListNames([][]byte{text("a"), text("bc")})},
			`EVENT SUBSCRIBE correlationId="0" names=["a" "bc"]`,
		},
		{
			Message{Topic: TopicRecord, Action: RecordHeadResponse, Name: text("x"), HasVersion: true, Version: AnyVersion},
			`RECORD HEAD_RESPONSE name="x" version=-1`,
		},
		{Message{Topic: TopicRecord, Action: RecordReadResponse, HasVersion: true}, "RECORD READ_RESPONSE version=0"},
		{
			Message{Topic: TopicRecord, Action: RecordHeadResponseBulk, Versions: []NameVersion{{text("a"), 0}, {text("b"), 7}}},
			`RECORD HEAD_RESPONSE_BULK versions: "a"@0 "b"@7`,
		},
		{
			Message{
				Topic: TopicRecord, Action: RecordVersionExists, IsAck: true, IsError: true, IsWriteAck: true,
				Path: text("a"), Subscription: text("s"), OriginalAction: RecordUpdate, Data: text(`"`),
			},
			`RECORD VERSION_EXISTS isAck isError isWriteAck subscription="s" path="a" originalAction=UPDATE data="\""`,
		},
		{
			Message{Topic: TopicParser, Action: ParserUnknownAction, OriginalTopic: TopicRPC, OriginalAction: RPCAccept},
			"PARSER UNKNOWN_ACTION originalTopic=RPC originalAction=ACCEPT",
		},
		{
			Message{Topic: TopicConnection, Action: ConnectionChallenge, URL: text("u"), ProtocolVersion: text("p"), SDKVersion: text("v"), SDKType: text("t")},
			`CONNECTION CHALLENGE url="u" protocolVersion="p" sdkVersion="v" sdkType="t"`,
		},
		{
			Message{Topic: TopicRPC, Action: RPCRequest, RequestorName: text("r"), RequestorData: text("{}")},
			`RPC REQUEST requestorName="r" requestorData="{}"`,
		},
		{Message{Topic: TopicEvent, Action: EventEmit, Name: text(""), Data: text("")}, `EVENT EMIT name="" data=""`},
	} {
		if got := c.m.String(); got != c.want {
			t.Errorf("\n got %s\nwant %s", got, c.want)
		}
	}
}

// TestNamesAreLookedUpBothWays holds that a name belongs to one topic, or one action of its topic.
func TestNamesAreLookedUpBothWays(t *testing.T) {
	if len(topicNames) != 13 {
		t.Errorf("%d topics have a name", len(topicNames))
	}
	for topic, name := range topicNames {
		if got, ok := TopicByName(name); got != topic || !ok || topic.String() != name {
			t.Errorf("topic %d is %s, which is topic %d", topic, topic, got)
		}
	}
	for topic, actions := range actionNames {
		for action, name := range actions {
			if got, ok := ActionByName(topic, name); got != action || !ok || action.Name(topic) != name {
				t.Errorf("%v action %d is %s, which is action %d", topic, action, action.Name(topic), got)
			}
			if action.Known(topic) != (action != 0) {
				t.Errorf("%v action %d: Known is %v", topic, action, action.Known(topic))
			}
		}
	}
}

func TestUnknownNames(t *testing.T) {
	if _, ok := TopicByName("event"); ok {
		t.Error("topic names are upper case")
	}
	if _, ok := ActionByName(TopicEvent, "PATCH"); ok {
		t.Error("PATCH is no EVENT action")
	}
	if _, ok := ActionByName(77, "UNKNOWN"); ok {
		t.Error("topic 77 has no actions")
	}
	if a := Action(3); a.Known(TopicRPC) || a.Name(TopicRPC) != "3" || a.Known(77) {
		t.Errorf("RPC action 3 is unassigned, but is called %s", a.Name(TopicRPC))
	}
	if got := Topic(77).String(); got != "77" {
		t.Errorf("topic 77 is called %s", got)
	}
}
