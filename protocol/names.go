package protocol

import "strconv"

// topicNames are the wire names of the topics, as the official schemas spell them.
var topicNames = map[Topic]string{
	TopicUnknown:       "UNKNOWN",
	TopicParser:        "PARSER",
	TopicConnection:    "CONNECTION",
	TopicAuth:          "AUTH",
	TopicEvent:         "EVENT",
	TopicRecord:        "RECORD",
	TopicRPC:           "RPC",
	TopicPresence:      "PRESENCE",
	TopicMonitoring:    "MONITORING",
	TopicCluster:       "CLUSTER",
	TopicLock:          "LOCK",
	TopicStateRegistry: "STATE_REGISTRY",
	TopicError:         "ERROR",
}

// actionNames are the wire names of the actions, by topic.
var actionNames = map[Topic]map[Action]string{
	TopicParser: {
		ParserUnknown:                    "UNKNOWN",
		ParserUnknownTopic:               "UNKNOWN_TOPIC",
		ParserUnknownAction:              "UNKNOWN_ACTION",
		ParserInvalidMessage:             "INVALID_MESSAGE",
		ParserMessageParseError:          "MESSAGE_PARSE_ERROR",
		ParserMaximumMessageSizeExceeded: "MAXIMUM_MESSAGE_SIZE_EXCEEDED",
		ParserError:                      "ERROR",
		ParserInvalidMetaParams:          "INVALID_META_PARAMS",
	},
	TopicConnection: {
		ConnectionUnknown:               "UNKNOWN",
		ConnectionError:                 "ERROR",
		ConnectionPing:                  "PING",
		ConnectionPong:                  "PONG",
		ConnectionAccept:                "ACCEPT",
		ConnectionChallenge:             "CHALLENGE",
		ConnectionReject:                "REJECT",
		ConnectionRedirect:              "REDIRECT",
		ConnectionClosing:               "CLOSING",
		ConnectionClosed:                "CLOSED",
		ConnectionAuthenticationTimeout: "AUTHENTICATION_TIMEOUT",
		ConnectionInvalidMessage:        "INVALID_MESSAGE",
	},
	TopicAuth: {
		AuthUnknown:             "UNKNOWN",
		AuthError:               "ERROR",
		AuthRequest:             "REQUEST",
		AuthSuccessful:          "AUTH_SUCCESSFUL",
		AuthUnsuccessful:        "AUTH_UNSUCCESSFUL",
		AuthTooManyAuthAttempts: "TOO_MANY_AUTH_ATTEMPTS",
		AuthInvalidMessage:      "INVALID_MESSAGE",
		AuthInvalidMessageData:  "INVALID_MESSAGE_DATA",
	},
	TopicEvent: {
		EventUnknown:                       "UNKNOWN",
		EventError:                         "ERROR",
		EventEmit:                          "EMIT",
		EventSubscribe:                     "SUBSCRIBE",
		EventUnsubscribe:                   "UNSUBSCRIBE",
		EventListen:                        "LISTEN",
		EventUnlisten:                      "UNLISTEN",
		EventListenAccept:                  "LISTEN_ACCEPT",
		EventListenReject:                  "LISTEN_REJECT",
		EventSubscriptionHasProvider:       "SUBSCRIPTION_HAS_PROVIDER",
		EventSubscriptionHasNoProvider:     "SUBSCRIPTION_HAS_NO_PROVIDER",
		EventSubscriptionForPatternFound:   "SUBSCRIPTION_FOR_PATTERN_FOUND",
		EventSubscriptionForPatternRemoved: "SUBSCRIPTION_FOR_PATTERN_REMOVED",
		EventInvalidListenRegex:            "INVALID_LISTEN_REGEX",
		EventListenResponseTimeout:         "LISTEN_RESPONSE_TIMEOUT",
		EventListenUnsuccessful:            "LISTEN_UNSUCCESSFUL",
		EventMessagePermissionError:        "MESSAGE_PERMISSION_ERROR",
		EventMessageDenied:                 "MESSAGE_DENIED",
		EventInvalidMessageData:            "INVALID_MESSAGE_DATA",
		EventMultipleSubscriptions:         "MULTIPLE_SUBSCRIPTIONS",
		EventNotSubscribed:                 "NOT_SUBSCRIBED",
	},
	TopicRecord: {
		RecordUnknown:                       "UNKNOWN",
		RecordError:                         "ERROR",
		RecordNotify:                        "NOTIFY",
		RecordRead:                          "READ",
		RecordReadResponse:                  "READ_RESPONSE",
		RecordHead:                          "HEAD",
		RecordHeadResponse:                  "HEAD_RESPONSE",
		RecordHeadBulk:                      "HEAD_BULK",
		RecordHeadResponseBulk:              "HEAD_RESPONSE_BULK",
		RecordDelete:                        "DELETE",
		RecordDeleteSuccess:                 "DELETE_SUCCESS",
		RecordDeleteBulk:                    "DELETE_BULK",
		RecordDeleteBulkSuccess:             "DELETE_BULK_SUCCESS",
		RecordDeleted:                       "DELETED",
		RecordWriteAcknowledgement:          "WRITE_ACKNOWLEDGEMENT",
		RecordCreate:                        "CREATE",
		RecordCreateAndUpdate:               "CREATEANDUPDATE",
		RecordCreateAndPatch:                "CREATEANDPATCH",
		RecordUpdate:                        "UPDATE",
		RecordPatch:                         "PATCH",
		RecordErase:                         "ERASE",
		RecordSubscribeAndHead:              "SUBSCRIBEANDHEAD",
		RecordSubscribeAndRead:              "SUBSCRIBEANDREAD",
		RecordSubscribeCreateAndRead:        "SUBSCRIBECREATEANDREAD",
		RecordSubscribeCreateAndUpdate:      "SUBSCRIBECREATEANDUPDATE",
		RecordSubscribe:                     "SUBSCRIBE",
		RecordUnsubscribe:                   "UNSUBSCRIBE",
		RecordListen:                        "LISTEN",
		RecordUnlisten:                      "UNLISTEN",
		RecordListenAccept:                  "LISTEN_ACCEPT",
		RecordListenReject:                  "LISTEN_REJECT",
		RecordSubscriptionHasProvider:       "SUBSCRIPTION_HAS_PROVIDER",
		RecordSubscriptionHasNoProvider:     "SUBSCRIPTION_HAS_NO_PROVIDER",
		RecordSubscriptionForPatternFound:   "SUBSCRIPTION_FOR_PATTERN_FOUND",
		RecordSubscriptionForPatternRemoved: "SUBSCRIPTION_FOR_PATTERN_REMOVED",
		RecordPatchMulti:                    "PATCH_MULTI",
		RecordCacheRetrievalTimeout:         "CACHE_RETRIEVAL_TIMEOUT",
		RecordStorageRetrievalTimeout:       "STORAGE_RETRIEVAL_TIMEOUT",
		RecordVersionExists:                 "VERSION_EXISTS",
		RecordLoadError:                     "RECORD_LOAD_ERROR",
		RecordCreateError:                   "RECORD_CREATE_ERROR",
		RecordUpdateError:                   "RECORD_UPDATE_ERROR",
		RecordDeleteError:                   "RECORD_DELETE_ERROR",
		RecordNotFound:                      "RECORD_NOT_FOUND",
		RecordInvalidVersion:                "INVALID_VERSION",
		RecordInvalidPatchOnHotpath:         "INVALID_PATCH_ON_HOTPATH",
		RecordInvalidListenRegex:            "INVALID_LISTEN_REGEX",
		RecordListenResponseTimeout:         "LISTEN_RESPONSE_TIMEOUT",
		RecordListenUnsuccessful:            "LISTEN_UNSUCCESSFUL",
		RecordNotifyError:                   "RECORD_NOTIFY_ERROR",
		RecordMessagePermissionError:        "MESSAGE_PERMISSION_ERROR",
		RecordMessageDenied:                 "MESSAGE_DENIED",
		RecordInvalidMessageData:            "INVALID_MESSAGE_DATA",
		RecordMultipleSubscriptions:         "MULTIPLE_SUBSCRIPTIONS",
		RecordNotSubscribed:                 "NOT_SUBSCRIBED",
	},
	TopicRPC: {
		RPCUnknown:                 "UNKNOWN",
		RPCError:                   "ERROR",
		RPCRequest:                 "REQUEST",
		RPCAccept:                  "ACCEPT",
		RPCResponse:                "RESPONSE",
		RPCReject:                  "REJECT",
		RPCRequestError:            "REQUEST_ERROR",
		RPCProvide:                 "PROVIDE",
		RPCUnprovide:               "UNPROVIDE",
		RPCNoRPCProvider:           "NO_RPC_PROVIDER",
		RPCAcceptTimeout:           "ACCEPT_TIMEOUT",
		RPCMultipleAccept:          "MULTIPLE_ACCEPT",
		RPCInvalidRPCCorrelationID: "INVALID_RPC_CORRELATION_ID",
		RPCResponseTimeout:         "RESPONSE_TIMEOUT",
		RPCMultipleResponse:        "MULTIPLE_RESPONSE",
		RPCMessagePermissionError:  "MESSAGE_PERMISSION_ERROR",
		RPCMessageDenied:           "MESSAGE_DENIED",
		RPCInvalidMessageData:      "INVALID_MESSAGE_DATA",
		RPCMultipleProviders:       "MULTIPLE_PROVIDERS",
		RPCNotProvided:             "NOT_PROVIDED",
	},
	TopicPresence: {
		PresenceUnknown:                "UNKNOWN",
		PresenceError:                  "ERROR",
		PresenceQueryAll:               "QUERY_ALL",
		PresenceQueryAllResponse:       "QUERY_ALL_RESPONSE",
		PresenceQuery:                  "QUERY",
		PresenceQueryResponse:          "QUERY_RESPONSE",
		PresenceJoin:                   "PRESENCE_JOIN",
		PresenceJoinAll:                "PRESENCE_JOIN_ALL",
		PresenceLeave:                  "PRESENCE_LEAVE",
		PresenceLeaveAll:               "PRESENCE_LEAVE_ALL",
		PresenceSubscribe:              "SUBSCRIBE",
		PresenceUnsubscribe:            "UNSUBSCRIBE",
		PresenceSubscribeAll:           "SUBSCRIBE_ALL",
		PresenceUnsubscribeAll:         "UNSUBSCRIBE_ALL",
		PresenceInvalidPresenceUsers:   "INVALID_PRESENCE_USERS",
		PresenceMessagePermissionError: "MESSAGE_PERMISSION_ERROR",
		PresenceMessageDenied:          "MESSAGE_DENIED",
		PresenceMultipleSubscriptions:  "MULTIPLE_SUBSCRIPTIONS",
		PresenceNotSubscribed:          "NOT_SUBSCRIBED",
	},
	TopicMonitoring: {
		MonitoringUnknown: "UNKNOWN",
	},
	TopicCluster: {
		ClusterUnknown: "UNKNOWN",
		ClusterRemove:  "REMOVE",
		ClusterStatus:  "STATUS",
	},
	TopicLock: {
		LockUnknown:  "UNKNOWN",
		LockError:    "ERROR",
		LockRequest:  "REQUEST",
		LockResponse: "RESPONSE",
		LockRelease:  "RELEASE",
	},
	TopicStateRegistry: {
		StateUnknown:          "UNKNOWN",
		StateError:            "ERROR",
		StateAdd:              "ADD",
		StateRemove:           "REMOVE",
		StateRequestFullState: "REQUEST_FULL_STATE",
		StateFullState:        "FULL_STATE",
		StateChecksum:         "CHECKSUM",
	},
}

// String returns the wire name of t, or its number where it has none.
func (t Topic) String() string {
	if n, ok := topicNames[t]; ok {
		return n
	}
	return strconv.Itoa(int(t))
}

// Name returns the wire name of a within topic t, or its number where it has none.
func (a Action) Name(t Topic) string {
	if n, ok := actionNames[t][a]; ok {
		return n
	}
	return strconv.Itoa(int(a))
}

// ActionByName returns the action of topic t with the given wire name.
func ActionByName(t Topic, name string) (Action, bool) {
	for a, n := range actionNames[t] {
		if n == name {
			return a, true
		}
	}
	return 0, false
}

// TopicByName returns the topic with the given wire name.
func TopicByName(name string) (Topic, bool) {
	for t, n := range topicNames {
		if n == name {
			return t, true
		}
	}
	return 0, false
}

// Known reports whether a is an action of topic t other than UNKNOWN.
func (a Action) Known(t Topic) bool {
	_, ok := actionNames[t][a]
	return ok && a != 0
}
