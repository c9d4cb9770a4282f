package posthaste.letters

import java.util.concurrent.TimeUnit
import org.springframework.beans.factory.annotation.Value
import org.springframework.kafka.core.KafkaTemplate
import org.springframework.web.bind.annotation.GetMapping
import org.springframework.web.bind.annotation.PathVariable
import org.springframework.web.bind.annotation.PostMapping
import org.springframework.web.bind.annotation.RequestBody
import org.springframework.web.bind.annotation.RestController

/** The service over HTTP: a post is answered once the broker has acknowledged what it sent. */
@RestController
class Endpoints(
    private val letterProducer: LetterProducer,
    private val letterConsumer: LetterConsumer,
    private val ordersTemplate: KafkaTemplate<String, Order>,
    private val transactionalTemplate: KafkaTemplate<String, Order>,
    private val receipts: Receipts,
    @Value("\${topics}") private val topics: String,
) {
    @PostMapping("/letters/{topic}")
    fun send(@PathVariable topic: String, @RequestBody letter: String): Long =
        letterProducer.send(topic, letter).get(60, TimeUnit.SECONDS).recordMetadata.offset()

    @GetMapping("/letters/{topic}")
    fun receive(@PathVariable topic: String): List<String> = letterConsumer.receive(topic).map { String(it.value()) }

    @PostMapping("/orders/{name}")
    fun order(@PathVariable name: String, @RequestBody order: Order): Int =
        ordersTemplate.send("$topics-$name", "${order.id}", order).get(60, TimeUnit.SECONDS).recordMetadata.partition()

    @GetMapping("/orders/{name}")
    fun received(@PathVariable name: String): List<Receipt> = receipts.of(name)

    /** All of them in one transaction, which fails at the first order without an item. */
    @PostMapping("/transfers")
    fun transfer(@RequestBody orders: List<Order>): Boolean? =
        try {
            transactionalTemplate.executeInTransaction { template ->
                orders.forEach {
                    template.send("$topics-transfers", "${it.id}", it).get(60, TimeUnit.SECONDS)
                    require(it.item.isNotEmpty()) { "no item" }
                }
                true
            }
        } catch (_: IllegalArgumentException) {
            false
        }
}
