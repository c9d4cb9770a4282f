package posthaste.speaker;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.Map;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.CompressionType;
import org.apache.kafka.common.record.EndTransactionMarker;
import org.apache.kafka.common.record.ControlRecordType;
import org.apache.kafka.common.record.MemoryRecords;
import org.apache.kafka.common.record.MemoryRecordsBuilder;
import org.apache.kafka.common.record.MutableRecordBatch;
import org.apache.kafka.common.record.Record;
import org.apache.kafka.common.record.RecordBatch;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.utils.Crc32C;

/** Record batches from JSON to bytes, the spoiled ones included, and back. */
final class Batches {
    // The builder's buffer grows.
    private static final int FIRST_BUFFER_BYTES = 4 << 10;
    private static final int ATTRIBUTES_AT = 21;

    /** The fields of a batch that "set" may change, by their place. */
    private enum Place {
        baseOffset(0, 8), length(8, 4), leaderEpoch(12, 4), magic(16, 1), crc(17, 4), attributes(ATTRIBUTES_AT, 2), lastOffsetDelta(23, 4),
        baseTimestamp(27, 8), maxTimestamp(35, 8), producerId(43, 8), producerEpoch(51, 2), baseSequence(53, 4), count(57, 4);

        private final int at;
        private final int bytes;

        Place(int at, int bytes) {
            this.at = at;
            this.bytes = bytes;
        }

        void put(ByteBuffer batch, long value) {
            byte[] whole = ByteBuffer.allocate(8).putLong(value).array();
            batch.put(at, whole, 8 - bytes, bytes);
        }
    }

    private Batches() {}

    /** All of them, one after the other. */
    static byte[] encode(JsonNode batches) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        for (JsonNode batch : batches) {
            bytes.writeBytes(spoiled(build(batch), batch));
        }
        return bytes.toByteArray();
    }

    private static ByteBuffer build(JsonNode batch) {
        Compression codec = Compression.of(batch.path("codec").asText("none")).build();
        byte magic = (byte) batch.path("magic").asInt(RecordBatch.CURRENT_MAGIC_VALUE);
        boolean control = batch.has("marker");
        MemoryRecordsBuilder builder = MemoryRecords.builder(
            ByteBuffer.allocate(FIRST_BUFFER_BYTES), magic, codec, TimestampType.CREATE_TIME, 0, RecordBatch.NO_TIMESTAMP,
            batch.path("producerId").asLong(RecordBatch.NO_PRODUCER_ID),
            (short) batch.path("producerEpoch").asInt(RecordBatch.NO_PRODUCER_EPOCH),
            batch.path("baseSequence").asInt(RecordBatch.NO_SEQUENCE), batch.path("transactional").asBoolean(), control,
            batch.path("leaderEpoch").asInt(RecordBatch.NO_PARTITION_LEADER_EPOCH));
        if (control) {
            ControlRecordType type = batch.get("marker").asText().equals("commit") ? ControlRecordType.COMMIT : ControlRecordType.ABORT;
            builder.appendEndTxnMarker(batch.path("timestamp").asLong(), new EndTransactionMarker(type, 0));
        }
        long offset = 0;
        for (JsonNode record : batch.path("records")) {
            builder.appendWithOffset(record.path("offset").asLong(offset), record.path("timestamp").asLong(),
                bytes(record.path("key")), bytes(record.path("value")), headers(record.path("headers")));
            offset++;
        }
        return builder.build().buffer();
    }

    private static byte[] bytes(JsonNode text) {
        return text.isTextual() ? text.asText().getBytes(StandardCharsets.UTF_8) : null;
    }

    private static Header[] headers(JsonNode pairs) {
        Header[] headers = new Header[pairs.size()];
        for (int index = 0; index < headers.length; index++) {
            headers[index] = new RecordHeader(pairs.get(index).get(0).asText(), bytes(pairs.get(index).get(1)));
        }
        return headers;
    }

    /** "set" changes fields and "cut" takes bytes from the end; the checksum is put right, unless it is one of the fields. */
    private static byte[] spoiled(ByteBuffer built, JsonNode batch) {
        byte[] bytes = new byte[built.remaining() - batch.path("cut").asInt()];
        built.get(bytes);
        JsonNode changes = batch.path("set");
        if (changes.isEmpty()) {
            return bytes;
        }
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        for (Iterator<Map.Entry<String, JsonNode>> fields = changes.fields(); fields.hasNext();) {
            Map.Entry<String, JsonNode> field = fields.next();
            Place.valueOf(field.getKey()).put(buffer, field.getValue().asLong());
        }
        if (!changes.has("crc")) {
            Place.crc.put(buffer, Crc32C.compute(bytes, ATTRIBUTES_AT, bytes.length - ATTRIBUTES_AT));
        }
        return bytes;
    }

    /** Every field that a consumer can see; a batch that is cut off at the end is no batch. */
    static ArrayNode decode(MemoryRecords records) {
        ArrayNode batches = Main.JSON.createArrayNode();
        for (MutableRecordBatch batch : records.batches()) {
            batches.add(decode(batch));
        }
        return batches;
    }

    private static ObjectNode decode(MutableRecordBatch batch) {
        ObjectNode json = Main.JSON.createObjectNode()
            .put("baseOffset", batch.baseOffset()).put("lastOffset", batch.lastOffset()).put("bytes", batch.sizeInBytes())
            .put("leaderEpoch", batch.partitionLeaderEpoch()).put("magic", batch.magic()).put("valid", batch.isValid())
            .put("codec", CompressionType.forId(batch.compressionType().id).name).put("timestampType", batch.timestampType().name)
            .put("maxTimestamp", batch.maxTimestamp()).put("producerId", batch.producerId()).put("producerEpoch", batch.producerEpoch())
            .put("baseSequence", batch.baseSequence()).put("transactional", batch.isTransactional()).put("control", batch.isControlBatch());
        ArrayNode list = json.putArray("records");
        try {
            putRecords(batch, list);
        } catch (RuntimeException unreadable) {
            json.put("unreadable", unreadable.getClass().getSimpleName());
        }
        return json;
    }

    private static void putRecords(MutableRecordBatch batch, ArrayNode list) {
        for (Record record : batch) {
            ObjectNode one = list.addObject().put("offset", record.offset()).put("timestamp", record.timestamp())
                .put("key", text(record.key())).put("value", text(record.value()));
            ArrayNode pairs = one.putArray("headers");
            for (Header header : record.headers()) {
                pairs.addArray().add(header.key()).add(header.value() == null ? null : text(ByteBuffer.wrap(header.value())));
            }
        }
    }

    /** Hexadecimal: control records and the values of strangers are no text. */
    private static String text(ByteBuffer bytes) {
        if (bytes == null) {
            return null;
        }
        byte[] copy = new byte[bytes.remaining()];
        bytes.duplicate().get(copy);
        return HexFormat.of().formatHex(copy);
    }
}
