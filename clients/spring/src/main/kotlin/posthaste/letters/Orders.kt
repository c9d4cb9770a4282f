package posthaste.letters

import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.ConcurrentLinkedQueue
import org.apache.kafka.clients.consumer.ConsumerRecord
import org.springframework.kafka.annotation.BackOff
import org.springframework.kafka.annotation.DltHandler
import org.springframework.kafka.annotation.KafkaListener
import org.springframework.kafka.annotation.RetryableTopic
import org.springframework.kafka.support.KafkaHeaders
import org.springframework.messaging.handler.annotation.Header
import org.springframework.stereotype.Component

/** `failures` is how often its listener throws before it accepts the order. */
data class Order(val id: Int, val item: String, val failures: Int = 0)

/** An order as a listener saw it. */
data class Receipt(val order: Order, val topic: String, val partition: Int, val listener: String)

/** What the listeners received, by the topic that the order was first sent to. */
@Component
class Receipts {
    private val queues = ConcurrentHashMap<String, ConcurrentLinkedQueue<Receipt>>()
    private val attempts = ConcurrentHashMap<Int, Int>()

    fun of(name: String): List<Receipt> = queues[name]?.toList() ?: emptyList()

    fun add(name: String, order: Order, topic: String, partition: Int) {
        queues.computeIfAbsent(name) { ConcurrentLinkedQueue() }
            .add(Receipt(order, topic, partition, Thread.currentThread().name))
    }

    fun failIfAsked(order: Order) {
        val attempt = attempts.merge(order.id, 1, Int::plus)!!
        check(attempt > order.failures) { "order ${order.id} fails at attempt $attempt" }
    }
}

/** A group of two on a topic of two partitions; what keeps failing goes to the dead letters. */
@Component
class OrderListener(private val receipts: Receipts) {
    @KafkaListener(topics = ["\${topics}-orders"], groupId = "\${topics}-orders", concurrency = "2")
    fun receive(
        order: Order,
        @Header(KafkaHeaders.RECEIVED_TOPIC) topic: String,
        @Header(KafkaHeaders.RECEIVED_PARTITION) partition: Int,
    ) {
        receipts.failIfAsked(order)
        receipts.add("orders", order, topic, partition)
    }

    @KafkaListener(topics = ["\${topics}-orders-dlt"], groupId = "\${topics}-dead-letters")
    fun receiveDead(record: ConsumerRecord<String, ByteArray>, order: Order) =
        receipts.add("dead-letters", order, record.topic(), record.partition())
}

/** Retries on a topic of its own, which does not hold up the orders behind. */
@Component
class PaymentListener(private val receipts: Receipts) {
    @RetryableTopic(attempts = "3", backOff = BackOff(delay = 200), kafkaTemplate = "bytesTemplate")
    @KafkaListener(topics = ["\${topics}-payments"], groupId = "\${topics}-payments")
    fun receive(
        order: Order,
        @Header(KafkaHeaders.RECEIVED_TOPIC) topic: String,
        @Header(KafkaHeaders.RECEIVED_PARTITION) partition: Int,
    ) {
        receipts.failIfAsked(order)
        receipts.add("payments", order, topic, partition)
    }

    @DltHandler
    fun receiveDead(
        order: Order,
        @Header(KafkaHeaders.RECEIVED_TOPIC) topic: String,
        @Header(KafkaHeaders.RECEIVED_PARTITION) partition: Int,
    ) = receipts.add("refused-payments", order, topic, partition)
}

/** Sees committed transactions only. */
@Component
class TransferListener(private val receipts: Receipts) {
    @KafkaListener(
        topics = ["\${topics}-transfers"], groupId = "\${topics}-transfers",
        properties = ["isolation.level=read_committed"],
    )
    fun receive(record: ConsumerRecord<String, ByteArray>, order: Order) =
        receipts.add("transfers", order, record.topic(), record.partition())
}
