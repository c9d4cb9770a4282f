package posthaste.speaker;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.message.FetchResponseData;
import org.apache.kafka.common.message.ResponseHeaderData;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.record.MemoryRecords;

/** From the bytes of an answer to JSON. */
final class Answers {
    private Answers() {}

    /** The answer, or what is wrong with its form; bytes as they are when no API is named. */
    static ObjectNode read(ByteBuffer frame, String apiName, short version, int correlationId) throws ReflectiveOperationException {
        ObjectNode outcome = Main.JSON.createObjectNode();
        if (apiName.isEmpty()) {
            return outcome.put("hex", HexFormat.of().formatHex(frame.array()));
        }
        ApiMessageType api = Requests.api(apiName);
        try {
            ByteBufferAccessor accessor = new ByteBufferAccessor(frame);
            ResponseHeaderData header = new ResponseHeaderData(accessor, api.responseHeaderVersion(version));
            if (header.correlationId() != correlationId) {
                return outcome.put("malformed", "answer " + header.correlationId() + " to request " + correlationId);
            }
            ApiMessage answer = api.newResponse();
            answer.read(accessor, version);
            if (frame.hasRemaining()) {
                outcome.put("left_over_bytes", frame.remaining());
            }
            outcome.set("answer", json(answer, version));
        } catch (RuntimeException malformed) {
            outcome.put("malformed", malformed.toString());
        }
        return outcome;
    }

    private static JsonNode json(ApiMessage answer, short version) throws ReflectiveOperationException {
        Class<?> type = answer.getClass();
        JsonNode json = (JsonNode) Requests.converter(type).getMethod("write", type, short.class).invoke(null, answer, version);
        if (answer instanceof FetchResponseData fetched) {
            putRecords(fetched, json);
        }
        return json;
    }

    /** Kafka's converter leaves records out. */
    private static void putRecords(FetchResponseData fetched, JsonNode json) {
        for (int topic = 0; topic < fetched.responses().size(); topic++) {
            FetchResponseData.FetchableTopicResponse response = fetched.responses().get(topic);
            for (int index = 0; index < response.partitions().size(); index++) {
                ObjectNode partition = (ObjectNode) json.get("responses").get(topic).get("partitions").get(index);
                MemoryRecords records = (MemoryRecords) response.partitions().get(index).records();
                partition.remove("recordsSizeInBytes");
                partition.set("records", records == null ? Main.JSON.nullNode() : Batches.decode(records));
            }
        }
    }
}
