package posthaste.speaker;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.lang.reflect.Field;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.util.Collection;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.Map;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;

/** From a request as JSON, in which fields may be left out, to the bytes of its frame. */
final class Requests {
    private Requests() {}

    static ApiMessageType api(String name) {
        for (ApiMessageType type : ApiMessageType.values()) {
            if (type.name.equals(name)) {
                return type;
            }
        }
        throw new IllegalArgumentException("no API is called " + name);
    }

    /** A frame that may be spoiled: "bodyVersion" is written instead of the version that the header tells, "cut" and "append" change
     * the end, "frameLength" lies about all of it. */
    static ByteBuffer frame(JsonNode command, int correlationId) throws ReflectiveOperationException {
        ApiMessageType api = api(command.get("api").asText());
        short version = (short) command.get("version").asInt();
        short bodyVersion = (short) command.path("bodyVersion").asInt(version);
        RequestHeaderData header = new RequestHeaderData()
            .setRequestApiKey((short) command.path("apiKey").asInt(api.apiKey()))
            .setRequestApiVersion(version)
            .setCorrelationId(correlationId)
            .setClientId(command.path("clientId").asText("referee"));
        byte[] head = bytes(header, api.requestHeaderVersion(bodyVersion));
        byte[] body = bytes(message(api, command.path("body"), bodyVersion), bodyVersion);
        byte[] more = HexFormat.of().parseHex(command.path("append").asText(""));
        int bodyLength = body.length - command.path("cut").asInt();
        int length = head.length + bodyLength + more.length;
        ByteBuffer frame = ByteBuffer.allocate(4 + length);
        frame.putInt(command.path("frameLength").asInt(length)).put(head).put(body, 0, bodyLength).put(more);
        return frame.flip();
    }

    private static byte[] bytes(Message message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(buffer), cache, version);
        return buffer.array();
    }

    private static ApiMessage message(ApiMessageType api, JsonNode given, short version) throws ReflectiveOperationException {
        Class<?> type = api.newRequest().getClass();
        JsonNode whole = whole(type, given, version);
        return (ApiMessage) converter(type).getMethod("read", JsonNode.class, short.class).invoke(null, whole, version);
    }

    /** What is given, with the defaults of this version for the rest; Kafka's converters want every field. */
    private static JsonNode whole(Class<?> type, JsonNode given, short version) throws ReflectiveOperationException {
        Object defaults = type.getDeclaredConstructor().newInstance();
        ObjectNode whole = (ObjectNode) converter(type).getMethod("write", type, short.class).invoke(null, defaults, version);
        for (Iterator<Map.Entry<String, JsonNode>> fields = given.fields(); fields.hasNext();) {
            Map.Entry<String, JsonNode> field = fields.next();
            whole.set(field.getKey(), value(type.getDeclaredField(field.getKey()), field.getValue(), version));
        }
        return whole;
    }

    private static JsonNode value(Field field, JsonNode given, short version) throws ReflectiveOperationException {
        if (field.getName().equals("records") && !given.isNull()) {
            return Main.JSON.getNodeFactory().binaryNode(Batches.encode(given));
        }
        if (given.isObject()) {
            return whole(field.getType(), given, version);
        }
        if (!given.isArray() || given.isEmpty() || !given.get(0).isObject()) {
            return given;
        }
        ArrayNode elements = Main.JSON.createArrayNode();
        for (JsonNode element : given) {
            elements.add(whole(elementType(field), element, version));
        }
        return elements;
    }

    /** Of a list, or of one of Kafka's own collections, which say it in what they extend. */
    private static Class<?> elementType(Field field) {
        Type type = field.getGenericType();
        if (type instanceof Class<?> collection && Collection.class.isAssignableFrom(collection)) {
            type = collection.getGenericSuperclass();
        }
        return (Class<?>) ((ParameterizedType) type).getActualTypeArguments()[0];
    }

    /** The class next to a message, or inside the one next to it, that knows its JSON. */
    static Class<?> converter(Class<?> type) throws ClassNotFoundException {
        Class<?> outer = type.getEnclosingClass();
        if (outer == null) {
            return Class.forName(type.getName() + "JsonConverter");
        }
        return Class.forName(outer.getName() + "JsonConverter$" + type.getSimpleName() + "JsonConverter");
    }
}
